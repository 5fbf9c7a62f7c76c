"""From messages to ids: the prompt in the checkpoint's dialect, its pictures and videos widened to their tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from llavacli_core.errors import BrokenModel, PromptError, TemplateError
from llavacli_core.messages import Message
from llavacli_core.prompt.files import PULL_AGAIN
from llavacli_core.prompt.marks import Marked, Reach, mark
from llavacli_core.prompt.quoting import acting, cannot_quote, quoted
from llavacli_core.prompt.template import Template
from llavacli_core.prompt.tokenizer import Tokenizer

Kind = Literal["image", "video"]


@dataclass(frozen=True)
class Prompt:
    """A prompt as text and as ids, each picture and each video a single placeholder in both."""

    text: str
    token_ids: tuple[int, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Span:
    """The tokens of one picture or video among a prompt's."""

    start: int
    length: int
    kind: Kind = "image"


@dataclass(frozen=True)
class Layout:
    """A prompt's ids with pictures and videos widened, and where the tokens of each are, in the prompt's order.

    That may be another than the messages' order: most templates write a message's pictures first, then its videos, then
    its text. Within a kind it is the same.
    """

    token_ids: tuple[int, ...]
    spans: tuple[Span, ...]


def write(
    messages: Sequence[Message],
    template: Template,
    tokenizer: Tokenizer,
    image_token: str,
    *,
    video_token: str | None = None,
    add_generation_prompt: bool = True,
    add_special_tokens: bool = True,
) -> Prompt:
    """The prompt of a conversation; what was typed never acts as a control token, whatever it looks like.

    The ids are those of transformers' `processor.apply_chat_template` with one placeholder per picture or video: BOS is
    added by the tokenizer unless the template begins with it, or the caller wants none.
    """

    def render(conversation: Sequence[Message]) -> str:
        return template.render(conversation, tokenizer.special_tokens, add_generation_prompt=add_generation_prompt)

    text = render(messages)
    marked = mark(messages, taken=text)
    skeleton = render(marked.messages)
    bos = tokenizer.special_tokens.get("bos_token")
    begins_with_bos = bool(bos) and skeleton.startswith(str(bos))
    ids = _encode(tokenizer, text, marked, skeleton, add_special_tokens=add_special_tokens and not begins_with_bos)
    images = sum(len(message.images) for message in messages)
    videos = sum(len(message.videos) for message in messages)
    _check_placeholders("image", images, ids, image_token, template, tokenizer)
    _check_placeholders("video", videos, ids, video_token, template, tokenizer)
    return Prompt(text, tuple(ids), _warnings(text, marked, skeleton, template))


def widen(
    token_ids: Sequence[int],
    image_token_id: int,
    images: Sequence[int],
    video_token_id: int | None = None,
    videos: Sequence[int] = (),
) -> Layout:
    """Each placeholder repeated as often as its picture or video has tokens: `images`, `videos`, each in order."""
    kinds: dict[int | None, Kind] = {video_token_id: "video", image_token_id: "image"}
    counts = {"image": list(images), "video": list(videos)}
    places = [(place, kinds[token_id]) for place, token_id in enumerate(token_ids) if token_id in kinds]
    for kind, given in counts.items():
        found = sum(each == kind for _, each in places)
        if found != len(given):
            raise PromptError(f"the prompt has {found} places for {kind}s, and {len(given)} {kind}s were given")
    left = {kind: iter(given) for kind, given in counts.items()}
    wide: list[int] = []
    spans: list[Span] = []
    end = 0
    for place, kind in places:
        wide += token_ids[end:place]
        spans.append(Span(len(wide), next(left[kind]), kind))
        wide += [token_ids[place]] * spans[-1].length
        end = place + 1
    wide += token_ids[end:]
    return Layout(tuple(wide), tuple(spans))


def _encode(tokenizer: Tokenizer, text: str, marked: Marked, skeleton: str, *, add_special_tokens: bool) -> list[int]:
    """The ids of `text`: the tokenizer's own, unless a control token acts in what was typed."""
    encoding = tokenizer.encoding(text, add_special_tokens=add_special_tokens)
    found = acting(tokenizer, text, encoding)
    restored, typed = marked.restore(skeleton)
    if restored == text:
        if any(_overlap(each.reach, reach) for each in found for reach in typed):
            return quoted(tokenizer, marked, skeleton, add_special_tokens=add_special_tokens)
    else:  # the template rewrites texts, so one cannot tell where they are: only the harmless may pass
        written = acting(tokenizer, skeleton, tokenizer.encoding(skeleton, add_special_tokens=False))
        found_ids, written_ids = ([each.token_id for each in some] for some in (found, written))
        if found_ids != written_ids:
            raise cannot_quote(tokenizer, found_ids, written_ids)
    return encoding.ids


def _overlap(one: Reach, other: Reach) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _check_placeholders(
    kind: str, given: int, ids: list[int], token: str | None, template: Template, tokenizer: Tokenizer
) -> None:
    """Refuse a prompt that has not one placeholder for each of the `given` pictures (or videos)."""
    token_id = None if token is None else tokenizer.id_of(token)
    if given and token is None:
        raise TemplateError(f"this checkpoint takes no {kind}s", hint="leave it out, or choose another model")
    if given and token_id not in tokenizer.controls:
        raise BrokenModel(
            f"{token!r} is no special token of the tokenizer, so no {kind} can be placed", hint=PULL_AGAIN
        )
    found = sum(each == token_id for each in ids)
    if found != given:
        raise TemplateError(
            f"{template} {'leaves out' if found < given else 'multiplies'} {kind}s: it wrote {found} of {given}",
            hint=f"put every {kind} into a user message, or choose another template",
        )


def _warnings(text: str, marked: Marked, skeleton: str, template: Template) -> tuple[str, ...]:
    """A sentence for every role of whose messages the template does not show all."""
    dropped = {marked.roles[sign] for sign, typed in marked.texts.items() if sign not in skeleton and typed not in text}
    return tuple(f"{template} leaves out text of a {role} message" for role in sorted(dropped))
