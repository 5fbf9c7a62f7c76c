"""Scenes to pixels: background, antialiased shapes, then blur, noise and JPEG artefacts."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from demo.scenes import Scene, Shape

Array = NDArray[Any]


def draw(scene: Scene) -> Image.Image:
    """The scene as an RGB picture of its own size; the same scene gives the same pixels."""
    picture = _ground(scene)
    if scene.finish.clutter is not None:
        _clutter(picture, scene)
    for shape in scene.shapes:
        _paint(picture, shape, scene.finish.supersample)
    return _finished(picture, scene)


def _ground(scene: Scene) -> Image.Image:
    """The background alone."""
    if scene.background.start == scene.background.end:
        return Image.new("RGB", (scene.width, scene.height), scene.background.start)
    u = (np.arange(scene.width) + 0.5) / scene.width
    v = (np.arange(scene.height) + 0.5) / scene.height
    levels = scene.background.at(*np.broadcast_arrays(u[None, :], v[:, None]))
    return Image.fromarray((levels + 0.5).astype(np.uint8))


def _paint(picture: Image.Image, shape: Shape, supersample: int) -> None:
    """Fill the shape's outline, its edge softened by drawing `supersample` times as large and averaging."""
    left, top = np.floor(shape.outline.min(0)).astype(int) - 1
    right, bottom = np.ceil(shape.outline.max(0)).astype(int) + 1
    mask = Image.new("L", ((right - left) * supersample, (bottom - top) * supersample))
    points = (shape.outline - (left, top)) * supersample - 0.5
    ImageDraw.Draw(mask).polygon([(float(x), float(y)) for x, y in points], fill=255)
    picture.paste(shape.rgb, (int(left), int(top)), mask.reduce(supersample) if supersample > 1 else mask)


def _clutter(picture: Image.Image, scene: Scene) -> None:
    """Something to see that is none of the four shapes: strokes, or soft clouds of colour."""
    rng = np.random.default_rng(scene.finish.seed)
    if scene.finish.clutter == "clouds":
        blobs = Image.fromarray(rng.integers(0, 256, (*rng.integers(2, 7, 2), 3), dtype=np.uint8))
        picture.paste(blobs.resize(picture.size, Image.Resampling.BICUBIC))
        return
    pen = ImageDraw.Draw(picture)
    for _ in range(rng.integers(1, 7)):
        points = [(float(x), float(y)) for x, y in rng.random((2, 2)) * picture.size]
        pen.line(points, fill=tuple(int(level) for level in rng.integers(0, 256, 3)), width=int(rng.integers(1, 4)))


def _finished(picture: Image.Image, scene: Scene) -> Image.Image:
    """The traces of `scene.finish`, in the order a camera leaves them."""
    finish = scene.finish
    if finish.blur:
        picture = picture.filter(ImageFilter.GaussianBlur(finish.blur))
    if finish.noise:
        rng = np.random.default_rng(finish.seed)
        top, left = (int(rng.integers(0, 1537 - side)) for side in (scene.height, scene.width))
        grain = _grain()[top : top + scene.height, left : left + scene.width] * np.float32(finish.noise)
        picture = Image.fromarray(np.clip(np.asarray(picture) + grain + 0.5, 0, 255).astype(np.uint8))
    if finish.jpeg is not None:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=finish.jpeg, subsampling=finish.chroma)
        picture = Image.open(file).convert("RGB")
    return picture


@cache
def _grain() -> Array:
    """Standard normal noise to cut pieces from, which is far cheaper than drawing it anew: [1536, 1536, 3]."""
    return np.random.default_rng(0).standard_normal((1536, 1536, 3), np.float32)
