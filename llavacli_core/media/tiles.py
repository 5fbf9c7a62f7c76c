"""An upright RGB picture -> the normalised tiles that a vision tower sees, and the grid they were cut by.

Values are those of transformers' Pillow processors (CLIP, SigLIP, LLaVA and LLaVA-NeXT `ImageProcessorPil`), to the
last bit. The way there is shorter: every resize starts from the one decoded picture, padding and cutting are one crop
each, and 8-bit levels become floats once, at the end, through a table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from llavacli_core.config import ImageConfig
from llavacli_core.errors import BrokenModel
from llavacli_core.geometry import Grid, fit, grid_for, shortest_edge, tile_side
from llavacli_core.media.resample import refuse_beyond, resized

STRIP = 2**20  # pixels of a padded square that exist at once


@dataclass(frozen=True, eq=False)
class Tiles:
    """`pixels` float32 [N, 3, S, S]: the overview (or the picture's one tile), then the grid's tiles row by row."""

    pixels: NDArray[np.float32]
    grid: Grid


def prepare(picture: Image.Image, config: ImageConfig, max_tiles: int | None = None) -> Tiles:
    """Resize, cut, crop and normalise an RGB picture as the checkpoint wants it.

    `max_tiles` caps what AnyRes may cut, the overview included. Raises InputTooLarge for a picture so elongated that
    its resized form would not fit in memory, and BrokenModel for a config that gives tiles of different sizes.
    """
    grid = grid_for(picture.width, picture.height, config, max_tiles)
    if config.image_grid_pinpoints is not None:
        pieces = _cut(picture, grid, config)
    else:
        pieces = [_squared(picture, config) if config.pad_to_square else picture]
    return Tiles(_normalized([_shaped(piece, config) for piece in pieces], config), grid)


def _cut(picture: Image.Image, grid: Grid, config: ImageConfig) -> list[Image.Image]:
    """AnyRes: the whole picture squeezed into one tile, then the picture fitted into the grid and cut."""
    side = tile_side(config)
    if any(edge % side for pinpoint in config.image_grid_pinpoints or () for edge in pinpoint):
        raise BrokenModel(
            f"preprocessor_config.json: image_grid_pinpoints are not multiples of the {side} pixels of a tile",
            hint="compare the file with the one on the Hub",
        )
    overview = picture.resize(_overview_size(config), config.resample)
    if grid.rows * grid.cols == 0:
        return [overview]
    target = grid.rows * side, grid.cols * side
    height, width = fit(picture.width, picture.height, target)
    fitted = picture.resize((width, height), config.resample)
    top, left = (target[0] - height) // 2, (target[1] - width) // 2
    corners = [(col * side - left, row * side - top) for row in range(grid.rows) for col in range(grid.cols)]
    return [overview, *(fitted.crop((x, y, x + side, y + side)) for x, y in corners)]  # beyond the picture: black


def _squared(picture: Image.Image, config: ImageConfig) -> Image.Image:
    """The picture in the middle of a square of the mean colour, already resized.

    The square itself is never drawn, as that of 1 x 10000 pixels takes 400 MB: its rows are resized across in strips,
    and the column that they form is resized down. Pillow goes the same way inside one call, to a square at least.
    """
    edge = max(picture.size)
    size = width, _ = _target(edge, edge, config)
    refuse_beyond(picture, width * edge)
    left, top = (edge - picture.width) // 2, (edge - picture.height) // 2
    colour = tuple(int(mean * 255) for mean in config.image_mean)
    column = Image.new("RGB", (width, edge), colour)
    rows = max(STRIP // edge, 1)
    for y in range(0, picture.height, rows):
        part = picture.crop((0, y, picture.width, min(y + rows, picture.height)))
        strip = Image.new("RGB", (edge, part.height), colour)
        strip.paste(part, (left, 0))
        column.paste(strip.resize((width, part.height), config.resample), (0, top + y))
    return column.resize(size, config.resample)


def _shaped(piece: Image.Image, config: ImageConfig) -> Image.Image:
    """Resized and centre-cropped, as far as the config asks; a piece smaller than the crop is framed in black."""
    width, height = size = _target(*piece.size, config)
    if not config.do_center_crop or config.crop_size is None:
        return resized(piece, size, (0, 0, width, height), config.resample)
    crop_height, crop_width = config.crop_size
    left, top = (width - crop_width) // 2, (height - crop_height) // 2
    return resized(piece, size, (left, top, left + crop_width, top + crop_height), config.resample)


def _target(width: int, height: int, config: ImageConfig) -> tuple[int, int]:
    """The (width, height) that the config resizes a picture to."""
    if not config.do_resize:
        return width, height
    if config.shortest_edge is not None:
        target_height, target_width = shortest_edge(width, height, config.shortest_edge)
        return target_width, target_height
    return _overview_size(config)


def _overview_size(config: ImageConfig) -> tuple[int, int]:
    """(width, height) of the overview: the config's size, as a square where it states one edge alone."""
    if config.size is not None:
        return config.size[1], config.size[0]
    assert config.shortest_edge is not None
    return config.shortest_edge, config.shortest_edge


def _normalized(tiles: list[Image.Image], config: ImageConfig) -> NDArray[np.float32]:
    """[N, 3, H, W]: every 8-bit level looked up in the 256 values its channel can take."""
    if len({tile.size for tile in tiles}) > 1:
        raise BrokenModel(
            "preprocessor_config.json: size, crop_size and image_grid_pinpoints give tiles of different sizes",
            hint="compare the file with the one on the Hub",
        )
    width, height = tiles[0].size
    table = _levels(config)
    pixels = np.empty((len(tiles), 3, height, width), np.float32)
    for tile, planes in zip(tiles, pixels, strict=True):
        levels = np.asarray(tile)
        for channel in range(3):
            np.take(table[channel], levels[..., channel], out=planes[channel], mode="clip")  # clip: no index checks
    return pixels


def _levels(config: ImageConfig) -> NDArray[np.float32]:
    """[3, 256]: rescaled in float64, then normalised in float32, as the reference's `rescale` and `normalize` do."""
    levels = np.arange(256, dtype=np.float64)
    scaled = np.tile((levels * config.rescale_factor if config.do_rescale else levels).astype(np.float32), (3, 1))
    if not config.do_normalize:
        return scaled
    mean, std = (np.array(values, np.float32)[:, None] for values in (config.image_mean, config.image_std))
    return (scaled - mean) / std
