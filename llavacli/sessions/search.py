"""Finding turns by their words: all words of a query must occur, whatever their case, also as parts of longer words.

Every turn is read: for a thousand conversations of ten questions that takes a tenth of a second. An index (FTS5, pieces
of three letters) took seconds to make and trebled the file, and its answers came no sooner.
"""

from __future__ import annotations

from llavacli.sessions.database import Database
from llavacli.sessions.records import Hit
from llavacli.sessions.rows import moment

AROUND = 40  # characters before the first word that was found, and after it twice as many

# A turn's words, then its pictures' names.
SEARCHED = """turns.text || char(10)
    || coalesce((SELECT group_concat(name, char(10)) FROM attachments WHERE turn = turns.id), '')"""


def search(database: Database, query: str, limit: int | None = None) -> list[Hit]:
    """The turns that hold all words of the query (in their text or their pictures' names), the latest first."""
    words = query.lower().split()
    if not words:
        return []

    def holds(text: bytes) -> bool:
        lowered = text.decode("utf-8", "surrogatepass").lower()
        return all(word in lowered for word in words)

    with database.reading() as connection:
        connection.create_function("holds", 1, holds)  # LIKE knows upper and lower case of ASCII alone
        rows = connection.execute(
            f"""
            SELECT session, title, position, role, turns.created, {SEARCHED} AS searched
            FROM turns JOIN sessions ON sessions.id = session
            WHERE holds(CAST(searched AS BLOB))
            ORDER BY turns.created DESC, turns.id DESC LIMIT ?
            """,
            (-1 if limit is None else limit,),
        ).fetchall()
    return [
        Hit(id=id_, title=title, position=position, role=role, created=moment(created), excerpt=_around(text, words))
        for id_, title, position, role, created, text in rows
    ]


def _around(text: str, words: list[str]) -> str:
    """The first word that was searched for, and what stands around it, in one line."""
    lowered = text.lower()
    first = min(max(lowered.find(word), 0) for word in words)
    start, end = max(first - AROUND, 0), first + 2 * AROUND
    piece = " ".join(text[start:end].split())
    return f"{'…' if start else ''}{piece}{'…' if text[end:].strip() else ''}"
