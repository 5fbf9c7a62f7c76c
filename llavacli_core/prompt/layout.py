"""From messages to ids: the prompt in the checkpoint's dialect, and its pictures widened to their tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llavacli_core.errors import BrokenModel, PromptError, TemplateError
from llavacli_core.messages import Image, Message, Video
from llavacli_core.prompt.files import PULL_AGAIN
from llavacli_core.prompt.marks import Marked, Span, mark
from llavacli_core.prompt.quoting import acting, cannot_quote, quoted
from llavacli_core.prompt.template import Template
from llavacli_core.prompt.tokenizer import Tokenizer


@dataclass(frozen=True)
class Prompt:
    """A prompt as text and as ids, each picture a single placeholder in both."""

    text: str
    token_ids: tuple[int, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """A prompt's ids with pictures widened, and the (start, length) of each picture's tokens in order."""

    token_ids: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]


def write(
    messages: Sequence[Message],
    template: Template,
    tokenizer: Tokenizer,
    *,
    image_token_id: int,
    video_token_id: int | None = None,
    add_generation_prompt: bool = True,
) -> Prompt:
    """The prompt of a conversation; what was typed never acts as a control token, whatever it looks like.

    The ids are those of transformers' `processor.apply_chat_template` with one placeholder per picture: BOS is added by
    the tokenizer unless the template begins with it.
    """

    def render(conversation: Sequence[Message]) -> str:
        return template.render(conversation, tokenizer.special_tokens, add_generation_prompt=add_generation_prompt)

    text = render(messages)
    marked = mark(messages, taken=text)
    skeleton = render(marked.messages)
    bos = tokenizer.special_tokens.get("bos_token")
    begins_with_bos = bool(bos) and skeleton.startswith(str(bos))
    ids = _encode(tokenizer, text, marked, skeleton, add_special_tokens=not begins_with_bos)
    _check_placeholders(ids, messages, Image, image_token_id, template, tokenizer)
    _check_placeholders(ids, messages, Video, video_token_id, template, tokenizer)
    return Prompt(text, tuple(ids), _warnings(text, marked, skeleton, template))


def widen(token_ids: Sequence[int], image_token_id: int, counts: Sequence[int]) -> Layout:
    """Each placeholder repeated as often as its picture has tokens; `counts` in the order of the pictures."""
    places = [place for place, token_id in enumerate(token_ids) if token_id == image_token_id]
    if len(places) != len(counts):
        raise PromptError(f"the prompt has {len(places)} places for pictures, and {len(counts)} pictures were given")
    wide: list[int] = []
    spans: list[tuple[int, int]] = []
    end = 0
    for place, count in zip(places, counts, strict=True):
        wide += token_ids[end:place]
        spans.append((len(wide), count))
        wide += [image_token_id] * count
        end = place + 1
    wide += token_ids[end:]
    return Layout(tuple(wide), tuple(spans))


def _encode(
    tokenizer: Tokenizer, text: str, marked: Marked, skeleton: str, *, add_special_tokens: bool
) -> list[int]:
    """The ids of `text`: the tokenizer's own, unless a control token acts in what was typed."""
    restored, typed = marked.restore(skeleton)
    found = acting(tokenizer, text)
    if restored == text:
        if any(_overlap(each.span, span) for each in found for span in typed):
            return quoted(tokenizer, marked, skeleton, add_special_tokens=add_special_tokens)
    else:  # the template rewrites texts, so one cannot tell where they are: only the harmless may pass
        written = [each.token_id for each in acting(tokenizer, skeleton)]
        strange = [each.token_id for each in found]
        if strange != written:
            raise cannot_quote([tokenizer.controls[token_id].content for token_id in strange if token_id not in written])
    return tokenizer.encode(text, add_special_tokens=add_special_tokens)


def _overlap(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _check_placeholders(
    ids: list[int],
    messages: Sequence[Message],
    kind: type[Image] | type[Video],
    token_id: int | None,
    template: Template,
    tokenizer: Tokenizer,
) -> None:
    """Refuse a prompt that has not one placeholder for every picture (or video)."""
    given = sum(isinstance(part, kind) for message in messages for part in message.parts)
    name = kind.__name__.lower()
    if given and token_id is None:
        raise TemplateError(f"this checkpoint takes no {name}s", hint="leave it out, or choose another model")
    if given and tokenizer.id_of(tokenizer.token_of(token_id) or "") != token_id:
        raise BrokenModel(f"the tokenizer has no token {token_id}, which config.json gives for {name}s", hint=PULL_AGAIN)
    found = sum(each == token_id for each in ids)
    if found != given:
        did = "leaves out" if found < given else "multiplies"
        raise TemplateError(
            f"{template} {did} {name}s: it wrote {found} for {given}",
            hint="put them into user messages, or use a template that has a place for them",
        )


def _warnings(text: str, marked: Marked, skeleton: str, template: Template) -> tuple[str, ...]:
    """A sentence for every role whose words the template does not show."""
    dropped = {marked.roles[sign] for sign, typed in marked.texts.items() if sign not in skeleton and typed not in text}
    return tuple(f"{template} leaves out words of the {role}" for role in sorted(dropped))
