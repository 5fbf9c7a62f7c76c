"""Frames -> pictures that stand as the camera saw them, by the display matrix that a clip carries."""

from __future__ import annotations

import struct
from typing import Any

from av.video.frame import VideoFrame
from PIL import Image

# A display matrix takes decoded x and y to shown ones; y points down: signs of (x'/x, y'/x, x'/y, y'/y).
TURNS = {
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}


def picture(frame: VideoFrame) -> Image.Image:
    """The frame in RGB, upright; turns by other angles than right ones are left alone."""
    image = Image.fromarray(frame.to_ndarray(format="rgb24"))
    turn = turn_of(frame)
    return image if turn is None else image.transpose(turn)


def turn_of(frame: VideoFrame) -> Image.Transpose | None:
    """What brings the frame upright; None for one that is."""
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return None
    a, b, _, c, d, *_ = struct.unpack("=9i", matrix)  # 16.16 fixed point in the machine's byte order
    return TURNS.get((_sign(a), _sign(b), _sign(c), _sign(d)))


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)
