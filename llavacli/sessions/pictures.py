"""Copies of pictures that have no file of their own (from the clipboard, from stdin), named by their hash."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from contextlib import suppress

from llavacli.sessions.errors import StoreError
from llavacli.streams import OutputError
from llavacli.writing import write_file

GRACE = 24 * 3600  # seconds for which a copy may wait for the turn that shows it


def folder_of(database: str) -> str:
    """Where the copies are: beside the database."""
    return os.path.join(os.path.dirname(database), "pictures")


def keep(folder: str, data: bytes) -> str:
    """Make a copy, unless there is one already; gives its path. Raises StoreError."""
    path = os.path.join(folder, hashlib.sha256(data).hexdigest())
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if not os.path.exists(path):
            write_file(path, data)
    except (OSError, OutputError) as error:
        raise StoreError(f"a copy of the picture cannot be kept: {error}", hint="check the folder's space") from error
    return path


def shown(connection: sqlite3.Connection, session: str | None = None) -> set[str]:
    """The names of copies that a conversation shows, or any conversation."""
    select = "SELECT stored FROM attachments JOIN turns ON turns.id = turn WHERE stored IS NOT NULL"
    if session is None:
        return {row[0] for row in connection.execute(select)}
    return {row[0] for row in connection.execute(f"{select} AND session = ?", (session,))}


def sweep(folder: str, needed: set[str], dropped: set[str]) -> None:
    """Remove the copies that were dropped, and those left by a chat that ended before their turn was sent."""
    with suppress(OSError):
        for entry in os.scandir(folder):
            with suppress(OSError):
                abandoned = time.time() - entry.stat().st_mtime > GRACE
                if entry.name not in needed and (entry.name in dropped or abandoned):
                    os.unlink(entry.path)
