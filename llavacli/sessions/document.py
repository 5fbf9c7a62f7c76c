"""A conversation as JSON, whole, and read back. Schema `llavacli.session/1`; unknown keys are passed over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, NoReturn

from llavacli.sessions.errors import DocumentError
from llavacli.sessions.records import Attachment, Conversation, Header, Part, Turn
from llavacli.sessions.rows import moment, stamp

SCHEMA = "llavacli.session/1"
HINT = "give a file that /save or sessions export wrote"
LARGEST = 2**53  # whole numbers up to here are the same to every reader of JSON


def document(conversation: Conversation) -> dict[str, Any]:
    """The conversation as JSON values, its keys in order."""
    header = conversation.header
    return {
        "schema": SCHEMA,
        "id": conversation.id,
        "title": conversation.title,
        "created": stamp(conversation.created),
        "updated": stamp(conversation.updated),
        "model": {"id": header.model, "revision": header.revision, "template": header.template},
        "system": header.system,
        "settings": dict(header.settings),
        "turns": [_turn(turn) for turn in conversation.turns],
    }


def conversation_in(text: str | bytes) -> Conversation:
    """The conversation that a document holds. Raises DocumentError, which says where it is not as it should be."""
    try:
        found = json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8
        raise DocumentError(
            f"not valid JSON: {error}", hint="give a file that /save or sessions export wrote"
        ) from None
    values = _Values("", found)
    schema = values.text("schema")
    if schema != SCHEMA:
        raise DocumentError(f"schema is {schema!r}, not {SCHEMA!r}", hint="a newer llavacli may read it")
    model = values.inner("model")
    return Conversation(
        id=values.optional_text("id"),
        title=values.text("title"),
        created=values.moment("created"),
        updated=values.moment("updated"),
        header=Header(
            model=model.text("id"),
            revision=model.optional_text("revision"),
            template=model.optional_text("template"),
            system=values.optional_text("system"),
            settings=values.inner("settings").values,
        ),
        turns=tuple(_turn_in(_Values(f"turns[{n}]", each)) for n, each in enumerate(values.listed("turns"))),
    )


def _turn(turn: Turn) -> dict[str, Any]:
    """A turn; what only answers have stands in answers alone."""
    parts = [part if isinstance(part, str) else asdict(part) for part in turn.parts]
    values: dict[str, Any] = {"role": turn.role, "created": stamp(turn.created), "parts": parts}
    if turn.role == "assistant":
        values |= {"finish_reason": turn.finish_reason, "model": turn.model}
        values |= {"params": dict(turn.params), "usage": dict(turn.usage), "timing_ms": dict(turn.timing_ms)}
    return values


def _turn_in(values: _Values) -> Turn:
    parts: list[Part] = []
    for number, part in enumerate(values.listed("parts")):
        where = f"{values.where}.parts[{number}]"
        parts.append(part if isinstance(part, str) else _attachment_in(_Values(where, part)))
    created = values.moment("created")
    if values.one_of("role", ("user", "assistant")) == "user":
        return Turn(role="user", parts=tuple(parts), created=created)
    return Turn(
        role="assistant",
        parts=tuple(parts),
        created=created,
        finish_reason=values.optional_text("finish_reason"),
        model=values.optional_text("model"),
        params=values.inner("params").values,
        usage=values.inner("usage").values,
        timing_ms=values.inner("timing_ms").values,
    )


def _attachment_in(values: _Values) -> Attachment:
    kind = values.one_of("kind", ("image", "video"))
    known: dict[str, Any] = {
        **{name: values.optional_text(name) for name in ("path", "stored", "sha256")},
        **{
            field.name: values.optional_number(field.name, whole=field.name != "asked_fps")
            for field in fields(Attachment)
            if field.name in ("width", "height", "tiles", "tokens", "max_tiles", "asked_frames", "asked_fps", "label")
        },
    }
    marks, frames = values.listed("marks"), values.listed("frames")
    if not all(isinstance(mark, str) for mark in marks):
        values.wrong("marks", "a list of strings")
    if not all(type(frame) is int and 0 <= frame <= LARGEST for frame in frames):
        values.wrong("frames", "a list of whole numbers")
    return Attachment(
        kind="image" if kind == "image" else "video",
        name=values.text("name"),
        marks=tuple(marks),
        frames=tuple(frames),
        **known,
    )


class _Values:
    """A JSON object, its values asked for by key and type; `where` it stands is told when one is wrong."""

    def __init__(self, where: str, values: Any) -> None:
        self.where = where
        if not isinstance(values, Mapping):
            raise DocumentError(f"{where or 'the document'} must be an object", hint=HINT)
        self.values = values

    def text(self, key: str) -> str:
        value = self.values.get(key)
        return value if isinstance(value, str) else self.wrong(key, "a string")

    def optional_text(self, key: str) -> str | None:
        return None if self.values.get(key) is None else self.text(key)

    def one_of(self, key: str, choices: tuple[str, ...]) -> str:
        value = self.text(key)
        return value if value in choices else self.wrong(key, " or ".join(choices))

    def moment(self, key: str) -> datetime:
        try:
            return moment(self.text(key))
        except (ValueError, OverflowError):
            self.wrong(key, "a time in ISO 8601")

    def optional_number(self, key: str, *, whole: bool) -> Any:
        value = self.values.get(key)
        fits = type(value) is int or (type(value) is float and not whole)
        if value is not None and not (fits and 0 <= value <= LARGEST):
            self.wrong(key, "a whole number" if whole else "a number")
        return value

    def listed(self, key: str) -> list[Any]:
        value = self.values.get(key)
        return value if isinstance(value, list) else self.wrong(key, "a list")

    def inner(self, key: str) -> _Values:
        return _Values(f"{self.where}.{key}".lstrip("."), self.values.get(key))

    def wrong(self, key: str, wanted: str) -> NoReturn:
        raise DocumentError(f"{self.where}.{key} must be {wanted}".lstrip("."), hint=HINT)


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")
