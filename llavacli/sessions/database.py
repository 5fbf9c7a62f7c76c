"""The file that conversations are kept in: opened on first use, one transaction at a time, its errors put in words."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from llavacli.sessions.errors import StoreError
from llavacli.sessions.schema import migrate

PATIENCE = 5.0  # seconds to wait for another process's transaction


def default_path() -> str:
    """Where conversations are kept: `sessions.db` in the user's data folder (on Linux, XDG_DATA_HOME's)."""
    import platformdirs

    return str(platformdirs.user_data_path("llavacli", appauthor=False) / "sessions.db")


class Database:
    """A connection that is made on first use. It may be used by any thread, by one at a time."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is kept whole or, if anything is raised, not at all. Raises StoreError."""
        with self._put_in_words():
            if self._connection is None:
                self._connection = self._opened()
            with _transaction(self._connection, "BEGIN IMMEDIATE"):
                yield self._connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One moment's view; empty when there is no file, and then none is made. Raises StoreError."""
        with self._put_in_words():
            if self._connection is None and not os.path.lexists(self.path):
                with closing(_connected(":memory:")) as empty:
                    migrate(empty, self.path)
                    yield empty
                return
            if self._connection is None:
                self._connection = self._opened()
            with _transaction(self._connection, "BEGIN"):
                yield self._connection

    def shrink_log(self) -> None:
        """Write the log back into the file, so that what was removed is gone from both; if others let it."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Let the file go; the next use opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _opened(self) -> sqlite3.Connection:
        """The connection to the file, which is made if need be: nobody else's to read."""
        os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))  # its log gets the same permissions
        with suppress(OSError):
            if os.stat(self.path).st_mode & 0o077:
                os.chmod(self.path, 0o600)
        connection = _connected(self.path)
        try:
            _log_ahead(connection)
            migrate(connection, self.path)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _put_in_words(self) -> Iterator[None]:
        """Turn what SQLite and the file system raise into StoreError."""
        try:
            yield
        except sqlite3.Error as error:
            busy = str(error) in ("database is locked", "database is busy")
            hint = "another program is writing it; try again" if busy else "move the file away to begin anew"
            what = "is in use by another program" if busy else f"conversations cannot be kept there: {error}"
            raise StoreError(f"{self.path}: {what}", hint=hint) from error
        except OSError as error:
            what = f"conversations cannot be kept there: {error.strerror or error}"
            raise StoreError(f"{self.path}: {what}", hint="check the folder's permissions") from error


def _connected(path: str) -> sqlite3.Connection:
    """A connection with transactions of our own making and texts read back as they were."""
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    connection.text_factory = lambda data: data.decode("utf-8", "surrogatepass")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")  # what was removed is overwritten
    connection.execute("PRAGMA synchronous = FULL")  # an answer is kept even if the power fails
    return connection


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging; SQLite does not wait by itself while another process makes the same switch."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.01)


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    """Begin, then commit; or roll back, whatever is raised."""
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
