"""Marks drawn on a picture: what each covers, supersampled tile by tile, and its colour blended in by that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from llavacli_core.errors import UnsuitableOption
from llavacli_core.marks import Mark
from llavacli_core.media.names import shown
from llavacli_core.media.picture import open_picture
from llavacli_core.media.quiet import quiet
from llavacli_core.media.shapes import Area, Polygon, Rectangle, areas
from llavacli_core.media.source import NAMELESS, Source, read_source
from llavacli_core.media.strokes import Box, Stroke

SCALE = 4  # samples of a pixel, each way
TILE = 512  # pixels, each way: 4 MB of samples at a time, and tiles that nothing touches cost nothing

FULL = (255, 255)
MASK_ALPHA = 0.5

Window = tuple[int, int, int, int]


def draw_marks(source: str | PathLike[str] | bytes | Image.Image, marks: Sequence[Mark]) -> Image.Image:
    """A picture (as of `core.Image`) upright, in RGB, with marks drawn on it: what a model would see of it.

    Its `info` keeps the file's resolution (`dpi`) and RGB colour profile (`icc_profile`), to be saved with it. Raises
    InputError for a picture that cannot be read, of which UnsuitableOption is for a mark that covers nothing of it.
    """
    read = read_source(source)
    drawn = draw(open_picture(read), marks, read.name)
    if drawn is source:
        drawn = drawn.copy()
    drawn.info = dict(_kept(read, drawn).items())
    return drawn


def draw(picture: Image.Image, marks: Sequence[Mark], name: str = NAMELESS) -> Image.Image:
    """An upright RGB picture with marks drawn on a copy of it, one over the other; itself if there are none.

    Raises UnsuitableOption, which says `name`, for a mark that covers no pixel.
    """
    if not marks:
        return picture
    drawn = picture.copy()
    for mark in marks:
        if not _drawn(drawn, mark):
            size = f"{picture.width}x{picture.height} pixels"
            raise UnsuitableOption(
                f"{shown(name)}: mark {shown(str(mark))!r} covers nothing of the picture, which has {size}",
                hint="coordinates are pixels from the upper left corner, percent (10%) or fractions (0.1)",
            )
    return drawn


def _drawn(picture: Image.Image, mark: Mark) -> bool:
    """Draw a mark on the picture itself; whether that changed a pixel."""
    alpha = mark.alpha if mark.alpha is not None else MASK_ALPHA if mark.shape == "mask" else 1.0
    strength = [round(alpha * level) for level in range(256)]
    covered, touched = [(area, area.bounds) for area in areas(mark, *picture.size)], False
    for window in _windows(picture.size):
        near = [area for area, bounds in covered if _overlap(bounds, window)]
        coverage = _coverage(near, window) if near else None
        if coverage is not None and coverage.getbbox() is not None:
            picture.paste(mark.rgb, window, coverage.point(strength))
            touched = True
    return touched


def _windows(size: tuple[int, int]) -> Iterator[Window]:
    """A picture's tiles."""
    for top in range(0, size[1], TILE):
        for left in range(0, size[0], TILE):
            yield left, top, min(left + TILE, size[0]), min(top + TILE, size[1])


def _overlap(box: Box, window: Window) -> bool:
    return box[0] <= window[2] and box[2] >= window[0] and box[1] <= window[3] and box[3] >= window[1]


def _coverage(covered: Sequence[Area], window: Window) -> Image.Image:
    """How much of each pixel in the window the areas cover, 0..255."""
    left, top, right, bottom = window
    samples = Image.new("L", ((right - left) * SCALE, (bottom - top) * SCALE))
    canvas = ImageDraw.Draw(samples)
    for area in covered:
        match area:
            case Rectangle():
                x1, y1, x2, y2 = ((edge - start) * SCALE for edge, start in zip(area, (left, top) * 2, strict=True))
                canvas.rectangle((x1, y1, x2 - 1, y2 - 1), 255)  # Pillow draws the last row and column too
            case Polygon():
                canvas.polygon(_sampled(np.array(area.points), window), 0 if area.is_hole else 255)
            case Stroke():
                _draw_stroke(samples, area, window)
    return samples.reduce(SCALE)


def _draw_stroke(samples: Image.Image, stroke: Stroke, window: Window) -> None:
    """Fill what a stroke covers; long ones go over the same place again and again, so that this ends when all is."""
    canvas = ImageDraw.Draw(samples)
    for strips, discs in stroke.near(window):
        for some, fill in ((strips, canvas.polygon), (discs, canvas.ellipse)):
            for numbers in _sampled(some, window):
                fill(numbers, 255)
            if samples.getextrema() == FULL:
                return


def _sampled(points: NDArray[np.float64], window: Window) -> list[Any]:
    """Points [..., N, 2] as whole samples of the window, x and y in turn: a list of the leading axes."""
    samples = np.rint((points - window[:2]) * SCALE - 0.5).astype(int)
    flat: list[Any] = samples.reshape(*points.shape[:-2], -1).tolist()
    return flat


def _kept(source: Source, picture: Image.Image) -> dict[str, object]:
    """What of a file's particulars still holds for the RGB picture made of it."""
    with quiet():
        image = source.data if isinstance(source.data, Image.Image) else _header(source.data)
    kept: dict[str, object] = {}
    profile, dpi = image.info.get("icc_profile"), image.info.get("dpi")
    if isinstance(profile, bytes) and profile[16:20] == b"RGB ":  # the ICC header's data colour space
        kept["icc_profile"] = profile
    if isinstance(dpi, tuple) and all(1 <= number < 2**16 for number in dpi):  # as JPEG can hold it
        kept["dpi"] = dpi if image.size == picture.size else dpi[::-1]
    return kept


def _header(data: bytes) -> Image.Image:
    """The file's picture, not decoded."""
    import io

    return Image.open(io.BytesIO(data))
