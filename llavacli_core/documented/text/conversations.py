"""Conversations as the documents write them -> messages, each picture and video with its source."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llavacli_core.errors import BadOption
from llavacli_core.messages import Image, Message, Part, Video
from llavacli_core.prompt.template import Template

Conversation = Sequence[Mapping[str, Any]]
SOURCES = ("url", "path", "image", "video")  # where a part may say what it shows
EXAMPLE = '[{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is this?"}]}]'
OPEN_END = "\ue000here\ue000 "  # marks where a prompt ends that goes on with its last message
NOWHERE = b""  # of a part that only marks a place, when the pictures are handed over apart


def is_batch(conversation: Any) -> bool:
    """Whether it is a list of conversations instead of one."""
    return isinstance(conversation, Sequence) and bool(conversation) and isinstance(conversation[0], (list, tuple))


def messages_of(conversation: Conversation) -> list[Message]:
    """The turns: text, pictures and videos in order; a content that is a string is text."""
    _check(conversation)
    return [Message(turn["role"], _parts(turn["content"])) for turn in conversation]


def prompt_of(
    conversation: Conversation, template: Template, variables: Mapping[str, Any], *, continue_final_message: bool
) -> str:
    """The prompt's text. The template has the turns as they are, so that it finds whatever it looks for in them."""
    _check(conversation)
    turns = [dict(turn) for turn in conversation]
    if continue_final_message:
        if variables.get("add_generation_prompt"):
            raise BadOption("continue_final_message and add_generation_prompt exclude each other")
        turns[-1]["content"] = _open_ended(turns[-1]["content"])
    for turn in turns:
        if isinstance(turn["content"], str):
            turn["content"] = _Words(turn["content"])
    text = template.fill(turns, variables)
    if not continue_final_message:
        return text
    before, found, _ = text.rpartition(OPEN_END.strip())
    if not found:
        raise BadOption("the template leaves out the last message, which was to be gone on with")
    return before if text.startswith(OPEN_END, len(before)) else before.rstrip()  # it trims what ends there


def _check(conversation: Any) -> None:
    """Refuse what is no conversation."""
    if (
        isinstance(conversation, str)
        or not conversation
        or not all(
            isinstance(turn, Mapping) and "role" in turn and turn.get("content") is not None for turn in conversation
        )
    ):
        raise BadOption("a conversation is a list of turns, each with a role and a content", hint=EXAMPLE)


def _open_ended(content: Any) -> Any:
    """A last message's content, with a sign at the end of its last text."""
    if isinstance(content, str):
        return content + OPEN_END
    parts = [dict(part) if isinstance(part, Mapping) else {"type": "text", "text": part} for part in content]
    last = next((part for part in reversed(parts) if "text" in part), None)
    if last is None:
        raise BadOption("the last message has no text to go on with")
    last["text"] += OPEN_END
    return parts


class _Words(str):
    """A content in one piece, for templates that want it so; to those that go through parts it is the only one."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        yield {"type": "text", "text": str(self)}


def sources_of(messages: Sequence[Message], kind: type[Image] | type[Video]) -> list[Any]:
    """What the messages show of one kind, in order, without the parts that only mark a place."""
    shown = (part for message in messages for part in message.parts if isinstance(part, kind))
    return [part.source for part in shown if not (isinstance(part.source, bytes) and part.source == NOWHERE)]


def _parts(content: Any) -> list[Part]:
    if isinstance(content, str):
        return [content]
    return [_part(part) for part in content]


def _part(part: Any) -> Part:
    """One part; what shows something names it under any of `SOURCES`, or not at all."""
    part = part if isinstance(part, Mapping) else {"type": "text", "text": part}
    kind = part.get("type")
    if kind == "text" and "text" in part:
        return str(part["text"])
    if "base64" in part:
        return Image(b64decode(part["base64"]))
    source = next((part[name] for name in SOURCES if part.get(name) is not None), NOWHERE)
    if kind in ("image", "image_url"):
        return Image(source)
    if kind == "video":
        return Video(source)
    raise BadOption(f"a content cannot be {dict(part)!r:.80}", hint=f"text, image or video, as in {EXAMPLE}")
