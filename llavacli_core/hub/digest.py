"""The hash by which the Hub knows a file: sha256 for large files, for small ones git's sha1 of a blob."""

from __future__ import annotations

import hashlib
from typing import Any, BinaryIO

CHUNK = 1 << 20


class Digest:
    """A file's hash as its bytes come; of which kind, the hash that is expected says by its length."""

    def __init__(self, expected: str, size: int) -> None:
        self._expected = expected
        self._state: Any = None
        if len(expected) == 64:
            self._state = hashlib.sha256()
        elif len(expected) == 40:
            self._state = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)

    def update(self, data: bytes | memoryview) -> None:
        """Take in the next bytes."""
        if self._state is not None:
            self._state.update(data)

    @property
    def agrees(self) -> bool:
        """Whether the bytes are those expected; so too where nothing is expected that can be compared."""
        return self._state is None or self._state.hexdigest() == self._expected


def chunks(file: BinaryIO) -> Any:
    """A file's bytes from where it stands, a megabyte at a time; each is overwritten by the next."""
    buffer = memoryview(bytearray(CHUNK))
    while count := file.readinto(buffer):  # type: ignore[attr-defined]
        yield buffer[:count]
