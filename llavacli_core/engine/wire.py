"""Values over a pipe between two processes of this program: pickled, with the numbers of arrays beside, not copied."""

from __future__ import annotations

import pickle
import select
import struct
import time
from io import FileIO
from typing import Any

import numpy as np

SIZES = struct.Struct("!QI")  # bytes of the pickle, and how many arrays follow it
SIZE = struct.Struct("!Q")  # bytes of an array


class Late(Exception):
    """Nothing came for too long."""


class Ended(Exception):
    """Nothing will come any more."""


def send(pipe: FileIO, value: object) -> None:
    """Write a value. Raises OSError if nobody reads, and whatever pickling it raises before anything is written."""
    arrays: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(value, protocol=5, buffer_callback=arrays.append)
    pieces = [array.raw() for array in arrays]
    head = SIZES.pack(len(pickled), len(pieces)) + b"".join(SIZE.pack(piece.nbytes) for piece in pieces)
    for piece in (memoryview(head), memoryview(pickled), *pieces):
        written = 0
        while written < len(piece):
            written += pipe.write(piece[written:])


def receive(pipe: FileIO, seconds: float | None = None) -> Any:
    """Read a value that `send` wrote. Raises Ended where the pipe ends, and Late where it takes too long."""
    end = None if seconds is None else time.monotonic() + seconds
    size, count = SIZES.unpack(_exactly(pipe, SIZES.size, end))
    sizes = [SIZE.unpack(_exactly(pipe, SIZE.size, end))[0] for _ in range(count)]
    pickled = _exactly(pipe, size, end)
    return pickle.loads(pickled, buffers=[_exactly(pipe, size, end) for size in sizes])


def _exactly(pipe: FileIO, size: int, end: float | None) -> memoryview:
    """The next `size` bytes."""
    data = np.empty(size, np.uint8).data  # unlike bytearray's, its memory is not filled with zeros first
    rest = data
    while rest:
        if end is not None:
            _wait(pipe, end)
        count = pipe.readinto(rest)
        if not count:
            raise Ended
        rest = rest[count:]
    return data


def _wait(pipe: FileIO, end: float) -> None:
    """Until there is something to read; what lies there already is never late, however long this process slept."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    left = max(end - time.monotonic(), 0.0)
    if not poll.poll(left * 1e3) and not poll.poll(0):
        raise Late
