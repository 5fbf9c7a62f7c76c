"""A worker whose decoder does what the picture's bytes tell it, if these begin with an exclamation mark."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import time
from contextlib import suppress

from llavacli_core.engine import opening, worker
from llavacli_core.media.source import Source

NAME = __name__


def allocate() -> None:
    blocks = []
    while True:
        blocks.append(bytearray(2**24))


def garble() -> None:
    """Write nonsense to every pipe there is."""
    for fd in range(3, 16):
        with suppress(OSError):
            os.write(fd, bytes(100))


def fail() -> None:
    raise KeyError("exif")


def sleep() -> None:
    while True:
        time.sleep(60)


DEEDS = {
    b"!exit": lambda: os._exit(0),
    b"!abort": os.abort,
    b"!segfault": lambda: ctypes.string_at(0),
    b"!killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    b"!garble": garble,
    b"!allocate": allocate,
    b"!fail": fail,
    b"!sleep": sleep,
    b"!stuck": lambda: re.match(r"(a+)+$", "a" * 64 + "b"),  # holds Python's lock for years
}


def main() -> None:
    """A worker's own `main`, with another decoder."""
    decode = opening.open_picture

    def misled(source: Source) -> object:
        if isinstance(source.data, bytes) and source.data in DEEDS:
            return DEEDS[source.data]()
        return decode(source)

    opening.open_picture = misled  # type: ignore[assignment]
    worker.main()
