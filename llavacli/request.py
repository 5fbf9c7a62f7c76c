"""What a command asks the core: the question, and which pictures go into one prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llavacli.failures import UsageError
from llavacli.options import GenerationOptions
from llavacli.sources import Source, unreadable

if TYPE_CHECKING:
    import llavacli_core as core

DEFAULT_PROMPT = "Describe this image in detail."


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of every picture, and how: the prompts, the sampling, the cap on tiles."""

    prompt: str
    system: str | None
    sampling: core.Sampling
    max_tiles: int | None

    def messages(self, pictures: Sequence[Source]) -> list[core.Message]:
        """The conversation: the system prompt if there is one, then the pictures and the prompt."""
        import llavacli_core as core

        images = [core.Image(picture.content, max_tiles=self.max_tiles) for picture in pictures]
        words = [self.prompt] if self.prompt else []
        system = [] if self.system is None else [core.Message("system", self.system)]
        return [*system, core.Message("user", [*images, *words])]

    def params(self) -> dict[str, Any]:
        """What a record says of the sampling: always the first three, of the others what was changed."""
        import llavacli_core as core

        ours, usual = vars(self.sampling), vars(core.Sampling())
        params = {name: ours[name] for name in ("max_tokens", "temperature", "seed")}
        params |= {name: value for name, value in ours.items() if value != usual[name]}
        if self.max_tiles is not None:
            params["max_tiles"] = self.max_tiles
        return params


@dataclass(frozen=True, kw_only=True)
class Request:
    """The pictures of one prompt."""

    pictures: Sequence[Source]
    together: bool

    @property
    def names(self) -> list[str]:
        """The pictures as they were named."""
        return [picture.name for picture in self.pictures]

    @property
    def title(self) -> str:
        """What messages call it."""
        return ", ".join(self.names)

    @property
    def source(self) -> str | list[str]:
        """What the record calls it: a list with --together, however many there are."""
        return self.names if self.together else self.names[0]

    def error(self) -> core.errors.InputError | None:
        """The first thing that can be told to be wrong before a model is loaded."""
        return next((error for error in map(unreadable, self.pictures) if error is not None), None)


def question_of(options: GenerationOptions) -> Question:
    """The options as the core takes them. A seed is drawn here, so that a record can name it."""
    import llavacli_core as core

    core.Image("", max_tiles=options.max_tiles)  # refuses a bad cap now, before a model is loaded
    _refuse_undecodable({"--prompt": [options.prompt], "--system": [options.system], "--stop": options.stop or []})
    return Question(
        prompt=DEFAULT_PROMPT if options.prompt is None else options.prompt,
        system=options.system,
        sampling=core.Sampling(
            max_tokens=options.max_tokens,
            temperature=options.temperature,
            top_p=options.top_p,
            top_k=options.top_k,
            min_p=options.min_p,
            repetition_penalty=options.repetition_penalty,
            beams=options.beams,
            seed=_seed(options),
            stop=tuple(options.stop or ()),
        ),
        max_tiles=options.max_tiles,
    )


def grouped(pictures: Sequence[Source], *, together: bool) -> list[Request]:
    """One request for each picture, or one for all."""
    groups = [pictures] if together else [[picture] for picture in pictures]
    return [Request(pictures=group, together=together) for group in groups]


def _seed(options: GenerationOptions) -> int:
    """The seed given, or one drawn for all answers of the run; greedy decoding uses none, and 0 says so."""
    if options.seed is not None:
        return options.seed
    import secrets

    return secrets.randbelow(2**32) if options.temperature > 0 else 0


def _refuse_undecodable(texts: Mapping[str, Sequence[str | None]]) -> None:
    """Refuse words that are no UTF-8: no tokenizer could read them."""
    for option, given in texts.items():
        if any(_has_surrogates(text or "") for text in given):
            raise UsageError(f"{option} is not valid UTF-8", hint="check the locale of the shell or script")


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
