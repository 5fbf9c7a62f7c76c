"""A QuickTime file whose pictures lie in another file, as its data reference says."""

from __future__ import annotations

import struct

NESTED = (b"moov", b"trak", b"mdia", b"minf", b"dinf")


def pointing_elsewhere(movie: bytes, path: str) -> bytes:
    """The movie (its index after its data) with its data reference replaced by an alias of `path`."""
    return _rebuilt(movie, _alias(path))


def _rebuilt(atoms: bytes, alias: bytes) -> bytes:
    """The atoms one after another, those that hold the data reference measured anew."""
    parts = []
    while atoms:
        size, kind = struct.unpack(">I4s", atoms[:8])
        body, atoms = atoms[8:size], atoms[size:]
        if kind in NESTED:
            body = _rebuilt(body, alias)
        elif kind == b"dref":
            body = struct.pack(">II", 0, 1) + alias
        parts.append(struct.pack(">I4s", len(body) + 8, kind) + body)
    return b"".join(parts)


def _alias(path: str) -> bytes:
    """An alias record: names that no longer matter, how far to go up and down, and the absolute path (type 2)."""
    encoded = path.encode()
    folder_and_file = bytes(10) + bytes(1 + 27) + bytes(12) + bytes(1 + 63) + bytes(16)
    levels = struct.pack(">hh", 1, 1) + bytes(16)
    named = struct.pack(">hH", 2, len(encoded)) + encoded + bytes(len(encoded) % 2)
    body = folder_and_file + levels + named + struct.pack(">hH", -1, 0)
    return struct.pack(">I4sI", len(body) + 12, b"alis", 0) + body
