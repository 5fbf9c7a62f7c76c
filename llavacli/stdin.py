"""Standard input: whether there is something to read, and its bytes."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
from typing import Any


def has_input() -> bool:
    """Whether stdin is a pipe or a file: the only cases in which it is read without being asked for."""
    if sys.__stdin__ is None:
        return False
    mode = os.fstat(sys.__stdin__.fileno()).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def read(limit: int) -> bytes:
    """The bytes on stdin, up to one more than `limit` (the reader's way to see that there are too many).

    Raises OSError where it is closed, or open for writing alone, as nohup leaves it.
    """
    return reader().read(limit + 1)


def reader() -> io.BufferedReader:
    """Stdin's bytes, which are waited for where it is non-blocking, too. Raises OSError where it is closed."""
    if sys.__stdin__ is None:
        raise OSError(errno.EBADF, "it is closed")
    return io.BufferedReader(_Waiting(sys.__stdin__.fileno()))


class _Waiting(io.RawIOBase):
    """A descriptor that is read from; whoever has opened it closes it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            try:
                data = os.read(self._fd, len(buffer))
            except BlockingIOError:
                import select

                select.select([self._fd], [], [])
            else:
                buffer[: len(data)] = data
                return len(data)
