"""Conversations to rows of the tables, and back."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from llavacli.sessions.records import Attachment, Conversation, Header, Part, Turn

SESSION = ("id", "created", "updated", "title", "model", "revision", "template", "system", "settings")
OBJECTS = ("params", "usage", "timing_ms")  # columns of turns that hold JSON
TURN = ("session", "position", "role", "parts", "text", "finish_reason", "model", *OBJECTS, "created")
ATTACHMENT = tuple(field.name for field in fields(Attachment))
LISTS = ("marks", "frames")  # columns of attachments that hold JSON


def put_session(connection: sqlite3.Connection, conversation: Conversation) -> None:
    """Write all of a conversation but its turns, over what there may be under its id."""
    header = conversation.header
    values = (
        *(conversation.id, stamp(conversation.created), stamp(conversation.updated), conversation.title),
        *(header.model, header.revision, header.template, header.system, json.dumps(dict(header.settings))),
    )
    changed = ", ".join(f"{name} = excluded.{name}" for name in SESSION[1:])
    connection.execute(f"{_insert('sessions', SESSION)} ON CONFLICT (id) DO UPDATE SET {changed}", _bound(values))


def put_turn(connection: sqlite3.Connection, session: str, position: int, turn: Turn) -> int:
    """Write a turn and its attachments; gives the number of its row."""
    numbers = iter(range(len(turn.parts)))
    parts = [part if isinstance(part, str) else next(numbers) for part in turn.parts]
    objects = [json.dumps(dict(each)) for each in (turn.params, turn.usage, turn.timing_ms)]
    words = turn.text.replace("\0", " ")
    values = (
        *(session, position, turn.role, json.dumps(parts), words, turn.finish_reason, turn.model),
        *(*objects, stamp(turn.created)),
    )
    row = connection.execute(_insert("turns", TURN), _bound(values)).lastrowid
    assert row is not None  # an INSERT that succeeded has one
    statement = _insert("attachments", ("turn", "number", *ATTACHMENT))
    for number, attachment in enumerate(turn.attachments):
        connection.execute(statement, _bound((row, number, *_columns(attachment))))
    return row


def conversation_of(connection: sqlite3.Connection, session: str, pictures: str) -> Conversation:
    """A conversation that is there, with all its turns; `pictures` is the folder of copies."""
    select = f"SELECT {', '.join(SESSION[1:])} FROM sessions WHERE id = ?"
    created, updated, title, model, revision, template, system, settings = connection.execute(
        select, (session,)
    ).fetchone()
    return Conversation(
        id=session,
        title=title,
        created=moment(created),
        updated=moment(updated),
        header=Header(model=model, revision=revision, template=template, system=system, settings=json.loads(settings)),
        turns=tuple(_turns(connection, session, pictures)),
    )


def stamp(when: datetime) -> str:
    """A moment as it is kept: UTC, to the millisecond, always as long."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """A moment that was kept. Raises ValueError."""
    return datetime.fromisoformat(text).astimezone(UTC)


def _turns(connection: sqlite3.Connection, session: str, pictures: str) -> Iterator[Turn]:
    """The turns in order."""
    names = ", ".join(("id", "role", "parts", "finish_reason", "model", *OBJECTS, "created"))
    select = f"SELECT {names} FROM turns WHERE session = ? ORDER BY position"
    for row, role, parts, finish_reason, model, *objects, created in connection.execute(select, (session,)).fetchall():
        attachments = _attachments(connection, row, pictures)
        restored: list[Part] = [attachments[part] if isinstance(part, int) else part for part in json.loads(parts)]
        params, usage, timing_ms = map(json.loads, objects)
        yield Turn(
            role=role,
            parts=tuple(restored),
            created=moment(created),
            finish_reason=finish_reason,
            model=model,
            params=params,
            usage=usage,
            timing_ms=timing_ms,
        )


def _attachments(connection: sqlite3.Connection, turn: int, pictures: str) -> list[Attachment]:
    """A turn's attachments in order."""
    select = f"SELECT {', '.join(ATTACHMENT)} FROM attachments WHERE turn = ? ORDER BY number"
    listed = []
    for row in connection.execute(select, (turn,)):
        values: dict[str, Any] = dict(zip(ATTACHMENT, row, strict=True))
        values |= {name: tuple(json.loads(values[name])) for name in LISTS}
        if values["stored"] is not None:
            values["stored"] = os.path.join(pictures, values["stored"])
        listed.append(Attachment(**values))
    return listed


def _columns(attachment: Attachment) -> list[Any]:
    """An attachment's values; of a copy its name alone, lest a folder that moves lose it."""
    values = {name: getattr(attachment, name) for name in ATTACHMENT}
    values |= {name: json.dumps(list(values[name])) for name in LISTS}
    if attachment.stored is not None:
        values["stored"] = os.path.basename(attachment.stored)
    return list(values.values())


def _insert(table: str, columns: Sequence[str]) -> str:
    """An INSERT for `_bound` values."""
    each = "CASE typeof(?{0}) WHEN 'blob' THEN CAST(?{0} AS TEXT) ELSE ?{0} END"
    values = ", ".join(each.format(number) for number in range(1, len(columns) + 1))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})"


def _bound(values: Sequence[Any]) -> list[Any]:
    """Values as sqlite3 takes them: it refuses texts that hold surrogates, so these go as bytes."""
    return [value.encode("utf-8", "surrogatepass") if _has_surrogates(value) else value for value in values]


def _has_surrogates(value: Any) -> bool:
    return isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value)
