"""What processors take for a picture (PIL, arrays, tensors, paths, in lists of lists) -> RGB pictures, and tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from llavacli_core.config import ImageConfig
from llavacli_core.documented.errors import NoSuchPicture, WrongType
from llavacli_core.errors import BadOption, MissingInput
from llavacli_core.geometry import Grid, best_resolution, fit, tile_side
from llavacli_core.media.colour import to_rgb
from llavacli_core.media.picture import open_picture
from llavacli_core.media.source import Source, read_source
from llavacli_core.media.tiles import Tiles, prepare

Layout = Literal["channels_first", "channels_last", "none"] | None
CHANNELS = (1, 3, 4)


@dataclass(frozen=True, eq=False)
class Given:
    """A picture's values [H, W, 3] if it was given as an array of fractions; else the picture itself."""

    picture: Image.Image | None
    fractions: NDArray[np.float32] | None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        if self.fractions is not None:
            return self.fractions.shape[0], self.fractions.shape[1]
        assert self.picture is not None
        return self.picture.height, self.picture.width


def flat(images: Any, dimensions: int = 3) -> list[Any]:
    """One list of the pictures (of `dimensions` where arrays) in a picture, a stack of them, or lists of either."""
    if isinstance(images, (list, tuple)):
        return [image for each in images for image in flat(each, dimensions)]
    if isinstance(images, (Image.Image, str, bytes, PathLike)):
        return [images]
    if not hasattr(images, "ndim"):
        raise WrongType(f"a picture cannot be a {type(images).__name__}", hint="give a PIL image, an array or a path")
    return list(images) if images.ndim == dimensions + 1 else [images]


def taken(images: Any, layout: Layout = None) -> Iterator[Given]:
    """The pictures in `images` one by one; `layout` says where arrays have their channels, if it is not plain."""
    for image in flat(images):
        if isinstance(image, Image.Image):
            yield Given(to_rgb(image), None)
        elif isinstance(image, (str, bytes, PathLike)):
            yield Given(open_picture(_read(image)), None)
        else:
            yield _from_array(_as_array(image), layout)


def _read(source: str | bytes | PathLike[str]) -> Source:
    """What is behind a path or a URL, or was given as bytes."""
    try:
        return read_source(source)
    except MissingInput as error:
        raise NoSuchPicture(str(error), hint=error.hint) from error


def tiles_of(given: Given, config: ImageConfig) -> Tiles:
    """The picture as the config wants it. Fractions stay exact unless they are resized, which takes 8 bits.

    So it is in transformers' `image_transforms.resize`: there and back between fractions and levels.
    """
    if given.picture is not None:
        return _prepared(given.picture, config)
    assert given.fractions is not None
    if not config.do_resize and config.image_grid_pinpoints is None:
        return _exact(given.fractions, config)
    if given.fractions.min() < 0 or given.fractions.max() > 1:
        raise BadOption("an array of fractions beyond 0..1 cannot be resized", hint="scale it to 0..1 or 0..255 first")
    factor = config.rescale_factor if config.do_rescale else 1.0
    levels = (given.fractions.astype(np.float64) * 255).astype(np.float32).astype(np.uint8)
    return _prepared(Image.fromarray(levels), replace(config, do_rescale=True, rescale_factor=factor / 255))


def _prepared(picture: Image.Image, config: ImageConfig) -> Tiles:
    """`prepare`, and what it refuses of a checkpoint: pinpoints that are no multiples of a tile.

    LlavaNextImageProcessor's own defaults are such. The last tiles of a row and of a column are then narrower and
    lower, and become as large as the others by themselves.
    """
    side, pinpoints = tile_side(config), config.image_grid_pinpoints
    if pinpoints is None or not any(edge % side for pinpoint in pinpoints for edge in pinpoint):
        return prepare(picture, config)
    target = best_resolution(picture.width, picture.height, pinpoints)
    height, width = fit(picture.width, picture.height, target)
    top, left = (target[0] - height) // 2, (target[1] - width) // 2
    fitted = picture.resize((width, height), config.resample)
    canvas = fitted.crop((-left, -top, target[1] - left, target[0] - top))  # beyond the picture: black
    edge = config.shortest_edge or side
    overview = picture.resize(config.size[::-1] if config.size else (edge, edge), config.resample)
    corners = [(x, y) for y in range(0, target[0], side) for x in range(0, target[1], side)]
    tiles = [canvas.crop((x, y, min(x + side, target[1]), min(y + side, target[0]))) for x, y in corners]
    whole = replace(config, image_grid_pinpoints=None)
    pixels = np.concatenate([prepare(each, whole).pixels for each in (overview, *tiles)])
    return Tiles(pixels, Grid(-(-target[0] // side), -(-target[1] // side), picture.width, picture.height))


def _from_array(values: NDArray[Any], layout: Layout) -> Given:
    """[H, W], [H, W, C] or [C, H, W], of levels 0..255 or of fractions."""
    if values.ndim == 2:
        values, layout = values[..., None], "channels_last"
    if values.ndim != 3:
        raise BadOption(f"an array of shape {values.shape} is no picture", hint="[H, W, C] or [C, H, W]")
    if layout not in ("channels_first", "channels_last"):
        layout = "channels_first" if values.shape[0] in CHANNELS else "channels_last"
    if layout == "channels_first":
        values = np.moveaxis(values, 0, -1)
    if values.shape[-1] not in CHANNELS:
        raise BadOption(f"a picture with {values.shape[-1]} channels", hint="input_data_format says where they are")
    if values.dtype != np.uint8 and not np.allclose(values, values.astype(int)):
        return Given(None, _on_white(values.astype(np.float32)))
    if values.min() < 0 or values.max() > 255:
        raise BadOption("an array of levels beyond 0..255", hint="scale it first")
    levels = np.ascontiguousarray(values, np.uint8)
    return Given(to_rgb(Image.fromarray(levels[..., 0] if levels.shape[-1] == 1 else levels)), None)


def _on_white(fractions: NDArray[np.float32]) -> NDArray[np.float32]:
    """[H, W, 3] of one, three or four channels, of which the fourth is how opaque it is."""
    colours, alpha = fractions[..., :3], fractions[..., 3:]
    if alpha.shape[-1]:
        colours = alpha * colours + (1 - alpha)
    return np.ascontiguousarray(np.broadcast_to(colours, (*fractions.shape[:2], 3)))


def _as_array(image: Any) -> NDArray[Any]:
    """An array or a tensor, wherever that is, as numpy has it."""
    if hasattr(image, "detach"):
        tensor = image.detach().cpu()
        return np.asarray(tensor if tensor.dtype.itemsize != 2 else tensor.float())  # numpy knows no bfloat16
    return np.asarray(image)


def _exact(values: NDArray[np.float32], config: ImageConfig) -> Tiles:
    """[1, 3, H, W]: cropped, rescaled and normalised as they are."""
    height, width = values.shape[:2]
    if config.do_center_crop and config.crop_size is not None:
        values = _cropped(values, config.crop_size)
    if config.do_rescale:
        values = (values.astype(np.float64) * config.rescale_factor).astype(np.float32)
    if config.do_normalize:
        mean, std = np.array(config.image_mean, np.float32), np.array(config.image_std, np.float32)
        values = np.divide(values - mean, std, dtype=np.float32)
    return Tiles(np.ascontiguousarray(values.transpose(2, 0, 1)[None]), Grid(0, 0, width, height))


def _cropped(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """The centre of the values; zeros where it is larger than they are."""
    tops = [(have - want) // 2 for have, want in zip(values.shape, size, strict=False)]
    before = [max(-top, 0) for top in tops]
    after = [max(top + want - have, 0) for top, want, have in zip(tops, size, values.shape, strict=False)]
    framed = np.pad(values, [*zip(before, after, strict=True), (0, 0)])
    top, left = (top + pad for top, pad in zip(tops, before, strict=True))
    return framed[top : top + size[0], left : left + size[1]]
