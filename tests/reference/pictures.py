"""Small pictures in every size, colour mode and file format that matters, drawn from numbers alone."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageOps


def scene(width: int, height: int, seed: int = 0) -> Image.Image:
    """Something like a photograph: two gradients, a few bright discs, grain."""
    random = np.random.default_rng(seed + 7919 * width + height)
    across, down = np.linspace(0, 1, width)[None, :], np.linspace(0, 1, height)[:, None]
    canvas = np.empty((height, width, 3))
    for channel in range(3):
        slope = random.uniform(-1, 1, 2)
        canvas[..., channel] = 128 + 90 * (slope[0] * across + slope[1] * down)
    for _ in range(4):
        x, y, radius = random.uniform(0, 1, 3) * (1, 1, 0.3)
        canvas[(across - x) ** 2 + (down - y) ** 2 < radius**2] = random.uniform(0, 255, 3)
    canvas += random.normal(0, 12, canvas.shape)
    return Image.fromarray(canvas.clip(0, 255).astype(np.uint8))


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """The picture as the bytes of a file."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def sized(width: int, height: int) -> bytes:
    return encoded(scene(width, height))


def photo(seed: int = 0, width: int = 160, height: int = 107) -> bytes:
    return encoded(scene(width, height, seed), "JPEG", quality=88)


def rotated(orientation: int) -> bytes:
    """A JPEG that a camera held sideways, mirrored, or both: its EXIF orientation says how to turn it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(scene(90, 50), "JPEG", quality=90, exif=exif)


def in_mode(mode: str) -> bytes:
    """A picture stored in a colour mode other than RGB."""
    picture = scene(70, 45, seed=3)
    shade = picture.convert("L")
    if mode in ("LA", "RGBA"):
        layered = picture.convert(mode)
        layered.putalpha(shade.point(lambda value: 255 - value))
        return encoded(layered)
    if mode == "P+transparency":
        return encoded(picture.quantize(16), transparency=5)
    if mode == "P":
        return encoded(picture.quantize(64))
    if mode == "CMYK":
        return encoded(picture.convert("CMYK"), "JPEG", quality=90)
    if mode == "I;16":
        return encoded(Image.fromarray(full_range(shade).astype(np.uint16) * 257))
    return encoded(picture.convert(mode))


def full_range(shade: Image.Image) -> np.ndarray:
    """Grey values stretched to 0..255, ends included, so that every way to scale 16 bits to 8 gives the same."""
    values = np.asarray(ImageOps.autocontrast(shade)).copy()
    values.flat[0], values.flat[-1] = 0, 255
    return values


def animation() -> bytes:
    """A GIF of two frames, of which the first counts."""
    first, second = (scene(40, 60, seed).quantize(32) for seed in (1, 2))
    return encoded(first, "GIF", save_all=True, append_images=[second], duration=100)


def upright(source: bytes) -> Image.Image:
    """The picture as the reference is to be given it: turned by its EXIF, 16 bits brought to 8, otherwise as stored."""
    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(source)))
    if picture.mode.startswith("I"):
        return Image.fromarray((np.asarray(picture) // 257).astype(np.uint8))
    return picture
