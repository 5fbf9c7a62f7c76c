"""The store of conversations: begin or resume one, list, load, search, remove."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime

from llavacli.sessions import pictures
from llavacli.sessions.database import Database, default_path
from llavacli.sessions.ids import found
from llavacli.sessions.records import Conversation, Header, Hit, Summary, Turn
from llavacli.sessions.rows import conversation_of, moment, stamp
from llavacli.sessions.saved import Saved, last_row
from llavacli.sessions.search import search


class Store:
    """All kept conversations. Nothing is opened before it is asked, and no file is made before something is written.

    Several processes may use one database. What cannot be read or written raises StoreError.
    """

    def __init__(self, path: str) -> None:
        self._database = Database(os.path.abspath(path))
        self._pictures = pictures.folder_of(self._database.path)

    @classmethod
    def open(cls, path: str | None = None) -> Store:
        """The store in a file, by default the user's own."""
        return cls(default_path() if path is None else path)

    @property
    def path(self) -> str:
        """The database's file."""
        return self._database.path

    def begin(self, header: Header, turns: Sequence[Turn] = ()) -> Saved:
        """A new conversation, with these turns to begin with; it is kept from its next turn on."""
        return Saved(self._database, header, turns)

    def resume(self, conversation: Conversation) -> Saved:
        """Go on with a conversation that was loaded from here."""
        assert conversation.id is not None  # it came from here
        with self._database.reading() as connection:
            last = last_row(connection, conversation.id)
            if last is not None:
                there = conversation_of(connection, conversation.id, self._pictures)
                last = last if there.turns == conversation.turns else None
        return Saved.resumed(self._database, conversation, last)

    def keep(self, data: bytes) -> str:
        """Copy a picture that has no file of its own; the path is for `Attachment.stored`."""
        return pictures.keep(self._pictures, data)

    def latest(self) -> Conversation | None:
        """The conversation that was last written; None when there is none."""
        newest = self.list(limit=1)
        return self.load(newest[0].id) if newest else None

    def load(self, id_: str) -> Conversation:
        """The conversation whose id this is or begins. Raises UnknownSession."""
        with self._database.reading() as connection:
            ids = [row[0] for row in connection.execute("SELECT id FROM sessions ORDER BY id")]
            return conversation_of(connection, found(id_, ids), self._pictures)

    def find(self, id_: str) -> str:
        """The whole id of the one conversation whose id this is or begins. Raises UnknownSession."""
        with self._database.reading() as connection:
            return found(id_, [row[0] for row in connection.execute("SELECT id FROM sessions ORDER BY id")])

    def list(self, *, limit: int | None = None, before: datetime | None = None) -> Sequence[Summary]:
        """The conversations, the last written first; with `before`, those not written since."""
        with self._database.reading() as connection:
            rows = connection.execute(
                """
                SELECT id, title, created, updated, model,
                    (SELECT count(*) FROM turns WHERE session = sessions.id AND role = 'user'),
                    (SELECT count(*) FROM attachments JOIN turns ON turns.id = turn WHERE session = sessions.id)
                FROM sessions WHERE ?1 IS NULL OR updated < ?1
                ORDER BY updated DESC, (SELECT max(id) FROM turns WHERE session = sessions.id) DESC LIMIT ?2
                """,
                (None if before is None else stamp(before), -1 if limit is None else limit),
            ).fetchall()
        return [
            Summary(
                id=id_,
                title=title,
                created=moment(created),
                updated=moment(updated),
                model=model,
                turns=turns,
                attachments=attachments,
            )
            for id_, title, created, updated, model, turns, attachments in rows
        ]

    def search(self, text: str, *, limit: int | None = None) -> Sequence[Hit]:
        """The turns that hold all words of `text`, the latest first."""
        return search(self._database, text, limit)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove conversations by their whole ids, and the copies of pictures that no other one shows."""
        with self._database.writing() as connection:
            dropped = {name for id_ in ids for name in pictures.shown(connection, id_)}
            connection.executemany("DELETE FROM sessions WHERE id = ?", [(id_,) for id_ in ids])
            needed = pictures.shown(connection)
        pictures.sweep(self._pictures, needed, dropped)
        self._database.shrink_log()

    def close(self) -> None:
        """Let the file go."""
        self._database.close()
