"""A conversation while it goes on: each turn is written when it is sent, each answer when it is done."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from llavacli.sessions.database import Database
from llavacli.sessions.errors import StoreError
from llavacli.sessions.ids import ids_from
from llavacli.sessions.records import Conversation, Header, Part, Turn, now, title_of
from llavacli.sessions.rows import put_session, put_turn

CHANGED = -1  # no row's number


class Saved:
    """Writes a conversation as it changes; every change is one transaction, and raises StoreError if it is not kept.

    It has an `id` from its first turn on: a conversation in which nothing was said is not kept. Should another process
    go on with the same conversation, this one goes on under an id of its own, with all its turns.
    """

    def __init__(self, database: Database, header: Header, turns: Sequence[Turn] = ()) -> None:
        self.id: str | None = None
        self.header = header
        self.turns = tuple(turns)
        self._database = database
        self._created: datetime | None = None
        self._last: int | None = None  # the row of the last turn, as this process has written or read it

    @classmethod
    def resumed(cls, database: Database, conversation: Conversation, last: int | None) -> Saved:
        """A conversation as it was read; `last` is the row of its last turn, None if it has changed since."""
        saved = cls(database, conversation.header, conversation.turns)
        saved.id, saved._created, saved._last = conversation.id, conversation.created, CHANGED if last is None else last
        return saved

    def add_user(self, parts: Sequence[Part], *, at: int | None = None) -> None:
        """Write what the user sends; with `at`, in place of the turns from that position on."""
        self._write(self.turns[:at], [Turn(role="user", parts=tuple(parts))])

    def add_assistant(self, answer: Turn, *, asked: Sequence[Part] | None = None, at: int | None = None) -> None:
        """Write an answer; with `at`, in place of the turns from that position on (until then, these are kept).

        `asked` are the parts of the user's turn before it, now that its pictures were opened and measured.
        """
        before = self.turns[:at]
        if asked is None or not before:
            self._write(before, [answer])
        else:
            turn = before[-1]
            measured = Turn(role=turn.role, parts=tuple(asked), created=turn.created)
            self._write(before[:-1], [measured, answer])

    def put(self, turns: Sequence[Turn], *, at: int) -> None:
        """Write these turns in place of those from a position on: an earlier one has changed."""
        self._write(self.turns[:at], turns)

    def cut(self, position: int) -> None:
        """Remove the turns from a position on: undone, or about to be asked again."""
        self._write(self.turns[:position], [])

    def set(self, header: Header) -> None:
        """Go on with another system prompt, other settings, another model."""
        self.header = header
        if self._last is not None:
            self._write(self.turns, [])

    def _write(self, kept: Sequence[Turn], new: Sequence[Turn]) -> None:
        """Make the conversation in the database `kept`, which it begins with already, and `new`."""
        turns = (*kept, *new)
        with self._database.writing() as connection:
            id_, first = self._place(connection, len(kept))
            moment = now()
            created = self._created or moment
            conversation = Conversation(
                id=id_, title=title_of(turns), created=created, updated=moment, header=self.header, turns=turns
            )
            connection.execute("DELETE FROM turns WHERE session = ? AND position >= ?", (id_, first))
            if turns:
                put_session(connection, conversation)
            else:
                connection.execute("DELETE FROM sessions WHERE id = ?", (id_,))
            for position in range(first, len(turns)):
                put_turn(connection, id_, position, turns[position])
            last = last_row(connection, id_)
        self.id, self.turns, self._created, self._last = id_, turns, created, last

    def _place(self, connection: sqlite3.Connection, kept: int) -> tuple[str, int]:
        """The id to write under, and the first position to write: all of them under an id that is new."""
        there = connection.execute("SELECT 1 FROM sessions WHERE id = ?", (self.id,)).fetchone() is not None
        if self.id is not None and self._last is None and not there:
            return self.id, 0  # all its turns were cut
        if self.id is not None and not there:
            raise StoreError(f"conversation {self.id} was removed meanwhile", hint="it goes on without being kept")
        if self.id is not None and last_row(connection, self.id) == self._last:
            return self.id, kept
        taken = {row[0] for row in connection.execute("SELECT id FROM sessions")}
        return next(each for each in ids_from(now()) if each not in taken), 0


def last_row(connection: sqlite3.Connection, session: str) -> int | None:
    """The row of a conversation's last turn: a number that is never used again."""
    row = connection.execute("SELECT max(id) FROM turns WHERE session = ?", (session,)).fetchone()
    return None if row is None else row[0]
