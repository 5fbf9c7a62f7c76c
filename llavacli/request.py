"""What a command asks the core: the question, and which pictures and clips go into one prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llavacli.failures import UsageError, is_about
from llavacli.options import GenerationOptions
from llavacli.sources import Source, unreadable

if TYPE_CHECKING:
    import llavacli_core as core

IMAGE_PROMPT = "Describe this image in detail."
VIDEO_PROMPT = "Describe this video in detail."


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of every source, and how: the prompts, the sampling, how pictures and clips are shown.

    `prompt` and `system` are what the user gave.
    """

    prompt: str | None
    system: str | None
    sampling: core.Sampling
    max_tiles: int | None
    frames: int | None
    fps: float | None
    marks: tuple[core.Mark, ...]

    def messages(self, request: Request, info: core.ModelInfo) -> list[core.Message]:
        """The conversation: the system prompt if there is one, then the sources in their order, and the prompt."""
        import llavacli_core as core

        if not info.takes_prompt:
            self._refuse_words()
        prompt = self.prompt_for(request, info)
        system = [] if self.system is None else [core.Message("system", self.system)]
        return [*system, core.Message("user", [*map(self._part, request.sources), *([prompt] if prompt else [])])]

    def prompt_for(self, request: Request, info: core.ModelInfo | None) -> str | None:
        """What is asked of the sources: by default what suits them, and nothing if the model takes no prompt."""
        if self.prompt is not None:
            return self.prompt
        if info is not None and not info.takes_prompt:
            return None
        return VIDEO_PROMPT if all(source.is_clip for source in request.sources) else IMAGE_PROMPT

    def params(self, max_tokens: int | None) -> dict[str, Any]:
        """What a record says of the sampling: always the first three, of the others what was changed.

        `max_tokens` is the limit that held; without an answer, the one that was asked for.
        """
        import llavacli_core as core

        ours, usual = vars(self.sampling), vars(core.Sampling())
        first = ("max_tokens", "temperature", "seed")
        params = {name: ours[name] for name in first}
        params["max_tokens"] = self.sampling.max_tokens if max_tokens is None else max_tokens
        params |= {name: value for name, value in ours.items() if name not in first and value != usual[name]}
        shown = {"max_tiles": self.max_tiles, "frames": self.frames, "fps": self.fps}
        return params | {name: value for name, value in shown.items() if value is not None}

    def _part(self, source: Source) -> core.Image | core.Video:
        """A source as a part of the message."""
        import llavacli_core as core

        if source.is_clip:
            return core.Video(source.content, frames=self.frames, fps=self.fps)
        return core.Image(source.content, max_tiles=self.max_tiles, marks=self.marks)

    def _refuse_words(self) -> None:
        """Words for a model that reads none."""
        for option, words in (("prompt", self.prompt), ("system", self.system)):
            if words is not None:
                raise UsageError(
                    "this model writes captions without a prompt",
                    hint=f"leave out --{option}; LLAVACLI_{option.upper()} or a config file may set it too",
                )


@dataclass(frozen=True, kw_only=True)
class Request:
    """The pictures and clips of one prompt."""

    sources: Sequence[Source]
    together: bool

    @property
    def images(self) -> list[str]:
        """The pictures as they were named."""
        return [source.name for source in self.sources if not source.is_clip]

    @property
    def videos(self) -> list[str]:
        """The clips as they were named."""
        return [source.name for source in self.sources if source.is_clip]

    @property
    def title(self) -> str:
        """What messages call it."""
        return ", ".join(source.name for source in self.sources)

    def about(self, warning: str) -> str:
        """A warning headed by what it is about, if it does not name one of the sources itself."""
        names_one = any(is_about(warning, source.name) for source in self.sources)
        return warning if names_one else f"{self.title}: {warning}"

    @property
    def source(self) -> str | list[str]:
        """What the record calls it: a list with --together, however many there are."""
        names = [source.name for source in self.sources]
        return names if self.together else names[0]

    def error(self) -> core.errors.InputError | None:
        """The first thing that can be told to be wrong before a model is loaded."""
        return next((error for error in map(unreadable, self.sources) if error is not None), None)


def question_of(options: GenerationOptions, marks: Sequence[str]) -> Question:
    """The options as the core takes them. A seed is drawn here, so that a record can name it."""
    import llavacli_core as core

    core.Image("", max_tiles=options.max_tiles)  # refuses a bad cap now, before a model is loaded
    core.Video("", frames=options.frames, fps=options.fps)
    _refuse_undecodable({"--prompt": [options.prompt], "--system": [options.system], "--stop": options.stop or []})
    return Question(
        prompt=options.prompt,
        system=options.system,
        sampling=core.Sampling(
            max_tokens=options.max_tokens,
            temperature=options.temperature,
            top_p=options.top_p,
            top_k=options.top_k,
            min_p=options.min_p,
            repetition_penalty=options.repetition_penalty,
            beams=options.beams,
            length_penalty=options.length_penalty,
            seed=_seed(options),
            stop=tuple(options.stop or ()),
        ),
        max_tiles=options.max_tiles,
        frames=options.frames,
        fps=options.fps,
        marks=tuple(map(core.Mark.parse, marks)),
    )


def grouped(sources: Sequence[Source], *, together: bool) -> list[Request]:
    """One request for each source, or one for all."""
    groups = [sources] if together else [[source] for source in sources]
    return [Request(sources=group, together=together) for group in groups]


def refuse_marked_clips(sources: Sequence[Source], question: Question) -> None:
    """Refuse marks where a clip is: what a mark points at in one frame is elsewhere in the next."""
    clip = next((source.name for source in sources if source.is_clip), None)
    if clip is not None and question.marks:
        raise UsageError(
            f"{clip}: marks are drawn on pictures, and this is a clip",
            hint="leave out the clip, or --mark; LLAVACLI_MARK or a config file may set it too",
        )


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
