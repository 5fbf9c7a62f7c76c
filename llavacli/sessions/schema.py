"""The tables, and the steps that bring a database of an earlier release to them.

Texts are kept to the last code point: lone surrogates, which stand for bytes of file names, as UTF-8 has them in
Python's `surrogatepass`. JSON is ASCII. Times are UTC in ISO 8601, to the millisecond, so that they sort.
"""

from __future__ import annotations

import sqlite3

from llavacli.sessions.errors import StoreError

MIGRATIONS: tuple[tuple[str, ...], ...] = (  # the n-th leads from version n to n + 1; one that was released stays
    (
        """
        CREATE TABLE sessions (
            id TEXT PRIMARY KEY,
            created TEXT NOT NULL,
            updated TEXT NOT NULL,
            title TEXT NOT NULL,
            model TEXT NOT NULL,
            revision TEXT,
            template TEXT,
            system TEXT,
            settings TEXT NOT NULL     -- a JSON object
        )
        """,
        """
        CREATE TABLE turns (
            id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again, hence a sign of who has written last
            session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            role TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
            parts TEXT NOT NULL,       -- a JSON array: texts, and the numbers of attachments
            text TEXT NOT NULL,        -- its words alone, NUL as a blank, since search ends there
            finish_reason TEXT,
            model TEXT,
            params TEXT NOT NULL,      -- JSON objects
            usage TEXT NOT NULL,
            timing_ms TEXT NOT NULL,
            created TEXT NOT NULL,
            UNIQUE (session, position)
        )
        """,
        """
        CREATE TABLE attachments (
            turn INTEGER NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('image', 'video')),
            name TEXT NOT NULL,
            path TEXT,
            stored TEXT,               -- the name of a file in the folder `pictures`
            sha256 TEXT,
            width INTEGER,
            height INTEGER,
            tiles INTEGER,
            tokens INTEGER,
            marks TEXT NOT NULL,       -- JSON arrays
            frames TEXT NOT NULL,
            max_tiles INTEGER,
            asked_frames INTEGER,
            asked_fps REAL,
            label INTEGER,
            PRIMARY KEY (turn, number)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX sessions_updated ON sessions (updated)",
    ),
)


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Bring the database to the newest version; raises StoreError for one that is newer still."""
    if _version(connection, path) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")  # another process may be at it: look again once it is done
    try:
        for step in MIGRATIONS[_version(connection, path) :]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection, path: str) -> int:
    """The version of the tables, 0 for an empty database."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{path}: written by a newer llavacli (version {version} of its tables, {len(MIGRATIONS)} here)",
            hint="upgrade llavacli, or move the file away to begin anew",
        )
    return version
