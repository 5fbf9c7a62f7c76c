"""Conversations as the documents write them -> messages, each picture and video with its source."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any

from llavacli_core.errors import BadOption
from llavacli_core.messages import Image, Message, Part, Video

Conversation = Sequence[Mapping[str, Any]]
SOURCES = ("url", "path", "image", "video")  # where a part may say what it shows
EXAMPLE = '[{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is this?"}]}]'
NOWHERE = b""  # of a part that only marks a place, when the pictures are handed over apart


def is_batch(conversation: Any) -> bool:
    """Whether it is a list of conversations instead of one."""
    return isinstance(conversation, Sequence) and bool(conversation) and isinstance(conversation[0], (list, tuple))


def messages_of(conversation: Conversation) -> list[Message]:
    """The turns: text, pictures and videos in order; a content that is a string is text."""
    if isinstance(conversation, str) or not all(
        isinstance(turn, Mapping) and "role" in turn and turn.get("content") is not None for turn in conversation
    ):
        raise BadOption("a conversation is a list of turns, each with a role and a content", hint=EXAMPLE)
    return [Message(turn["role"], _parts(turn["content"])) for turn in conversation]


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
