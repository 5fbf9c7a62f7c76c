"""A file that grows by whole rows: each is one write, on disk before the next; a torn one is cut off."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress

from llavacli.captioning.locking import is_at, lock
from llavacli.failures import CANNOT_WRITE, UsageError
from llavacli.streams import OutputError, cannot_write
from llavacli.writing import sync_folder

Split = Callable[[bytes], tuple[list[bytes], bytes]]  # a file's bytes -> whole rows, each with its end; the torn rest
SHORT, SHORT_START = 200, 30  # bytes of a name that has room for an ending, and characters of what stands for a longer
FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class Ledger:
    """The file, opened for this process alone. `rows` is what it held, and `torn` what follows the last whole one."""

    def __init__(self, path: str, split: Split) -> None:
        self.title = path
        self.path = os.path.realpath(path)
        if os.path.lexists(self.path) and not os.path.isfile(self.path):
            raise UsageError(f"{path}: is no regular file", hint="name a file that may be created")
        try:
            self._fd = self._opened()
            with suppress(FileNotFoundError):
                os.unlink(self._beside)  # of a run that was killed: this one has the lock
            with open(self._fd, "rb", closefd=False) as file:
                self.rows, self.torn = split(file.read())
        except OSError as error:
            raise cannot_write(self.title, error) from error

    def mend(self, *, keep: bool) -> None:
        """End the torn row if it is whole but for its end, else cut it off."""
        if self.torn and keep:
            self.append(b"\n")
        elif self.torn:
            self._truncate(sum(map(len, self.rows)))
        self.torn = b""

    def append(self, row: bytes) -> None:
        """Add a row, on disk when this returns. Raises OutputError, and then nothing of it is there."""
        if not is_at(self._fd, self.path):
            raise OutputError(f"{self.title} was removed or replaced meanwhile", CANNOT_WRITE, hint="run it again")
        size = os.fstat(self._fd).st_size
        try:
            _write(self._fd, row)
            os.fsync(self._fd)
            if size == 0:
                sync_folder(os.path.dirname(self.path))
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._fd, size)
            raise cannot_write(self.title, error) from error

    def rewrite(self, rows: Iterable[bytes]) -> None:
        """Put other rows in the place of all, at once."""
        try:
            fd = os.open(self._beside, FLAGS | os.O_EXCL, stat.S_IMODE(os.fstat(self._fd).st_mode))
            try:
                lock(fd, self.title)
                for row in rows:
                    _write(fd, row)
                os.fsync(fd)
                os.replace(self._beside, self.path)
                sync_folder(os.path.dirname(self.path))
            except BaseException:
                os.close(fd)
                with suppress(OSError):
                    os.unlink(self._beside)
                raise
        except OSError as error:
            raise cannot_write(self.title, error) from error
        os.close(self._fd)
        self._fd = fd

    def read(self) -> bytes:
        """All that it holds."""
        with open(self.path, "rb") as file:
            return file.read()

    def close(self) -> None:
        """Let go of it; a file without a byte in it is removed, since only the opening made it."""
        with suppress(OSError):
            if os.fstat(self._fd).st_size == 0:
                os.unlink(self.path)
        os.close(self._fd)

    @property
    def _beside(self) -> str:
        """Where a new version is written: one name for all runs, as only one at a time has the lock."""
        return hidden_beside(self.path, ".part")

    def _opened(self) -> int:
        """Open and lock the file that the path leads to, even if another run has just replaced it."""
        while True:
            fd = os.open(self.path, FLAGS, 0o666)
            try:
                lock(fd, self.title)
                if is_at(fd, self.path):
                    return fd
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)

    def _truncate(self, size: int) -> None:
        try:
            os.ftruncate(self._fd, size)
        except OSError as error:
            raise cannot_write(self.title, error) from error


def hidden_beside(path: str, ending: str) -> str:
    """The name of a file that belongs to another one beside it, and to no other."""
    folder, name = os.path.split(path)
    if len(os.fsencode(name)) > SHORT:
        name = name[:SHORT_START] + hashlib.sha256(os.fsencode(name)).hexdigest()[:SHORT_START]
    return os.path.join(folder, f".{name}{ending}")


def lines(data: bytes) -> tuple[list[bytes], bytes]:
    """Split at the ends of lines."""
    rows = data.split(b"\n")
    return [row + b"\n" for row in rows[:-1]], rows[-1]


def _write(fd: int, data: bytes) -> None:
    """Write all of it, mostly in one call."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
