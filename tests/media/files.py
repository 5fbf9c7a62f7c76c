"""Pictures and files to read, made from numbers."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image


def noise(width: int, height: int) -> Image.Image:
    """Random pixels: nothing hides a difference in resampling."""
    return Image.fromarray(np.random.default_rng(width * 7919 + height).integers(0, 256, (height, width, 3), np.uint8))


def layered(mode: str) -> Image.Image:
    """A picture with every degree of transparency."""
    picture = noise(24, 16).convert(mode)
    picture.putalpha(Image.fromarray(np.linspace(0, 255, 24 * 16).astype(np.uint8).reshape(16, 24)))
    return picture


def stored(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """The picture as the bytes of a file."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def png(
    width: int, height: int, depth: int, colour_type: int, rows: np.ndarray, *, transparent: int | None = None
) -> bytes:
    """A PNG of forms that Pillow does not write: 16 bits with a transparent grey, or fewer rows than announced."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0))]
    if transparent is not None:
        parts.append(chunk(b"tRNS", struct.pack(">H", transparent)))
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return b"\x89PNG\r\n\x1a\n" + b"".join([*parts, chunk(b"IDAT", pixels), chunk(b"IEND", b"")])
