"""Pillow's resizing, and the same arithmetic for a window of the output where the whole would not fit in memory.

A 1 x 10000 picture whose shorter edge is to be 336 becomes 336 x 3360000, of which the centre crop keeps one part in
ten thousand. Pillow can only make the whole; `enlarged` makes the part, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from llavacli_core.errors import InputTooLarge

Array = NDArray[np.float64]
Box = tuple[int, int, int, int]  # left, top, right, bottom

WHOLE = 2**24  # pixels that are resized whole and then cut; beyond, only the window is computed
MOST = 2**28  # pixels that may be made of a picture
PRECISION = 22  # bits after the point of Pillow's weights


def resized(picture: Image.Image, size: tuple[int, int], box: Box, resample: int) -> Image.Image:
    """The part `box` of the picture resized to `size` (width, height); black where the box reaches beyond."""
    left, top, right, bottom = box
    if (right - left) * (bottom - top) > MOST:
        raise InputTooLarge(
            f"a picture of {picture.width} x {picture.height} pixels is too elongated for this model",
            hint="crop it first",
        )
    width, height = size
    if size == picture.size:
        whole = picture
    elif width * height > WHOLE and width >= picture.width and height >= picture.height and resample in KERNELS:
        inner = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
        window = enlarged(picture, size, inner, resample)
        return window.crop((left - inner[0], top - inner[1], right - inner[0], bottom - inner[1]))
    else:
        refuse_beyond(picture, width * height)
        whole = picture.resize(size, resample)
    return whole if box == (0, 0, width, height) else whole.crop(box)


def refuse_beyond(picture: Image.Image, pixels: int) -> None:
    """InputTooLarge if what is to be made of the picture has more pixels than fit in memory."""
    if pixels > MOST:
        raise InputTooLarge(
            f"a picture of {picture.width} x {picture.height} pixels is too elongated for this model",
            hint="crop it first",
        )


def enlarged(picture: Image.Image, size: tuple[int, int], box: Box, resample: int) -> Image.Image:
    """`picture.resize(size, resample).crop(box)`, for a size no smaller than the picture's and a box inside it.

    Pillow mixes columns first, then rows, and rounds in between (the other way round only to shrink a height).
    """
    left, top, right, bottom = box
    columns, across = _weights(picture.width, size[0], left, right, resample)
    rows, down = _weights(picture.height, size[1], top, bottom, resample)
    x, y = int(columns.min()), int(rows.min())
    source = np.asarray(picture.crop((x, y, int(columns.max()) + 1, int(rows.max()) + 1)))
    narrow = _rounded(np.einsum("rntc,nt->rnc", source[:, columns - x], across))
    return Image.fromarray(_rounded(np.einsum("ntwc,nt->nwc", narrow[rows - y], down)))


def _rounded(sums: NDArray[np.int64]) -> NDArray[np.uint8]:
    return ((sums + (1 << PRECISION - 1)) >> PRECISION).clip(0, 255).astype(np.uint8)


def _weights(
    size: int, target: int, start: int, stop: int, resample: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For outputs start..stop of `size` pixels enlarged to `target`: the pixels each one mixes, and in what parts.

    Both are [stop - start, taps]; the parts are integers that add up to about 2**PRECISION. As Pillow's Resample.c
    has it (`precompute_coeffs`, `normalize_coeffs_8bpc`).
    """
    kernel, support = KERNELS[resample]
    centre = (np.arange(start, stop) + 0.5) * (size / target)
    first = np.maximum((centre - support + 0.5).astype(np.int64), 0)
    last = np.minimum((centre + support + 0.5).astype(np.int64), size)
    taps = first[:, None] + np.arange((last - first).max())
    parts = np.where(taps < last[:, None], kernel(taps - centre[:, None] + 0.5), 0.0)
    parts /= parts.sum(axis=1, keepdims=True)
    fixed = np.trunc(parts * (1 << PRECISION) + np.copysign(0.5, parts)).astype(np.int64)
    return np.minimum(taps, size - 1), fixed


def _box(x: Array) -> Array:
    return np.where((x > -0.5) & (x <= 0.5), 1.0, 0.0)


def _bilinear(x: Array) -> Array:
    return np.maximum(1.0 - np.abs(x), 0.0)


def _hamming(x: Array) -> Array:
    return np.where(np.abs(x) < 1, np.sinc(x) * (0.54 + 0.46 * np.cos(np.pi * x)), 0.0)


def _bicubic(x: Array) -> Array:
    a, x = -0.5, np.abs(x)
    near, far = ((a + 2) * x - (a + 3)) * x * x + 1, (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _lanczos(x: Array) -> Array:
    return np.where((x >= -3) & (x < 3), np.sinc(x) * np.sinc(x / 3), 0.0)


KERNELS: dict[int, tuple[Callable[[Array], Array], float]] = {
    Image.Resampling.BOX: (_box, 0.5),
    Image.Resampling.BILINEAR: (_bilinear, 1.0),
    Image.Resampling.HAMMING: (_hamming, 1.0),
    Image.Resampling.BICUBIC: (_bicubic, 2.0),
    Image.Resampling.LANCZOS: (_lanczos, 3.0),
}
