"""Finding turns by their words: all words of a query must occur, whatever their case, also as parts of longer words.

Where SQLite has FTS5, an index of three-letter pieces finds the turns that may hold them; each is then read. The index
is brought up to date when it is asked, not when a turn is written, so a chat neither waits for it nor depends on it.
"""

from __future__ import annotations

import sqlite3

from llavacli.sessions.database import Database
from llavacli.sessions.errors import StoreError
from llavacli.sessions.records import Hit
from llavacli.sessions.rows import moment

INDEX = "CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (text, tokenize = 'trigram')"
PIECE = 3  # letters; shorter words are not in the index
AROUND = 40  # characters before and after the first word that was found

# A turn's words, then its pictures' names.
SEARCHED = """turns.text || char(10)
    || coalesce((SELECT group_concat(name, char(10)) FROM attachments WHERE turn = turns.id), '')"""


def search(database: Database, query: str, limit: int | None = None) -> list[Hit]:
    """The turns that hold all words of the query (and of their pictures' names), the latest first."""
    words = query.lower().split()
    if not words:
        return []
    indexed = " AND ".join('"' + word.replace('"', '""') + '"' for word in words if _is_indexed(word))
    candidates = "SELECT id FROM turns"
    if indexed and _catch_up(database):
        candidates = "SELECT rowid FROM words WHERE words MATCH ?"
    with database.reading() as connection:
        connection.create_function("holds", 1, lambda text: all(word in _decoded(text).lower() for word in words))
        rows = connection.execute(
            f"""
            SELECT session, title, position, role, turns.created, {SEARCHED} AS searched
            FROM turns JOIN sessions ON sessions.id = session
            WHERE turns.id IN ({candidates}) AND holds(CAST(searched AS BLOB))
            ORDER BY turns.created DESC, turns.id DESC LIMIT ?
            """,
            (*([indexed] if "?" in candidates else []), -1 if limit is None else limit),
        ).fetchall()
    return [
        Hit(id=id_, title=title, position=position, role=role, created=moment(created), excerpt=_around(text, words))
        for id_, title, position, role, created, text in rows
    ]


def forget(connection: sqlite3.Connection) -> None:
    """Drop the index, lest it remember what was removed; the next search makes it again."""
    try:
        connection.execute("DROP TABLE IF EXISTS words")
    except sqlite3.OperationalError as error:
        if "no such module" not in str(error):
            raise


def _catch_up(database: Database) -> bool:
    """Bring the index up to date; False where that cannot be (no FTS5 or an old one, a database not to be written)."""
    try:
        with database.writing() as connection:
            connection.execute(INDEX)
            connection.execute("DELETE FROM words WHERE rowid NOT IN (SELECT id FROM turns)")
            connection.execute(
                f"""
                INSERT INTO words (rowid, text)
                SELECT id, {SEARCHED} FROM turns WHERE id NOT IN (SELECT rowid FROM words)
                """
            )
    except StoreError:
        return False
    return True


def _is_indexed(word: str) -> bool:
    """Whether the index surely finds it: long enough, and without letters whose case SQLite may see otherwise."""
    caseless = word.isalnum() and word.lower() == word.upper()
    return len(word) >= PIECE and "\0" not in word and (word.isascii() or caseless)


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "surrogatepass")


def _around(text: str, words: list[str]) -> str:
    """The first word that was searched for, and what stands around it, in one line."""
    lowered = text.lower()
    first = min(max(lowered.find(word), 0) for word in words)
    start, end = max(first - AROUND, 0), first + 2 * AROUND
    piece = " ".join(text[start:end].split())
    return f"{'…' if start else ''}{piece}{'…' if text[end:].strip() else ''}"
