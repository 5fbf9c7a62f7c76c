"""Training pictures: scenes of one canvas size drawn, tiled as the checkpoint's preprocessor does, patches labelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from demo.architecture import PATCH, PINPOINTS, TILE
from demo.drawing import draw
from demo.palette import COLOURS
from demo.scenes import KINDS, SIZES, Scene, canvas, scene, third
from llavacli_core.geometry import Grid, best_resolution, fit, unpadded

Array = NDArray[Any]

SCENES = 32  # in a batch
NOBODY, UNCLEAR = 0, 5  # owners of a patch beside the up to four shapes 1..4
IGNORED = -100
TARGETS = {"kind": 5, "colour": 9, "size": 2, "column": 3, "row": 3}  # what a patch is asked, and its classes


@dataclass(frozen=True)
class Batch:
    """Scenes of one size. Their equal grids make equal token counts, so nothing is padded."""

    scenes: list[Scene]
    grid: Grid
    tiles: Array  # [scenes, tiles, TILE, TILE, 3] uint8, the overview first
    owners: Array  # [scenes, tiles, patches] uint8: the shape each patch shows


def batch(seed: int, share: int = 0, scenes: int = SCENES) -> Batch:
    """A batch from its seed; workers draw different scenes (`share`) on the same canvas, hence at the same pace."""
    width, height = canvas(np.random.default_rng(seed))
    rng = np.random.default_rng((seed, share))
    rows, columns = best_resolution(width, height, PINPOINTS)
    grid = Grid(rows // TILE, columns // TILE, width, height)
    drawn = [scene(width, height, rng) for _ in range(scenes)]
    tiles = np.stack([tile(draw(each), grid) for each in drawn])
    masks = np.stack([_masks(each, grid) for each in drawn])
    return Batch(drawn, grid, tiles, _owners(masks))


def tile(picture: Image.Image, grid: Grid) -> Array:
    """The overview, squeezed to a square, then the tiles of the letterboxed picture: [tiles, TILE, TILE, 3] uint8."""
    height, width = fit(picture.width, picture.height, (grid.rows * TILE, grid.cols * TILE))
    overview = np.asarray(picture.resize((TILE, TILE), Image.Resampling.BICUBIC))
    boxed = _letterboxed(picture.resize((width, height), Image.Resampling.BICUBIC), grid)
    return np.concatenate((overview[None], _cut(np.asarray(boxed), grid)))


def _letterboxed(picture: Image.Image, grid: Grid) -> Image.Image:
    """The picture in the middle of a black canvas that fills the grid."""
    boxed = Image.new(picture.mode, (grid.cols * TILE, grid.rows * TILE))
    boxed.paste(picture, ((boxed.width - picture.width) // 2, (boxed.height - picture.height) // 2))
    return boxed


def _cut(canvas: Array, grid: Grid) -> Array:
    """[rows * TILE, cols * TILE, ...] -> [rows * cols, TILE, TILE, ...]."""
    parts = canvas.reshape(grid.rows, TILE, grid.cols, TILE, *canvas.shape[2:]).swapaxes(1, 2)
    return parts.reshape(-1, TILE, TILE, *canvas.shape[2:])


def _masks(drawn: Scene, grid: Grid) -> Array:
    """Which shape, counted from 1, each pixel of each tile shows: [tiles, TILE, TILE] uint8."""
    overview = _mask(drawn, TILE, TILE)
    height, width = fit(drawn.width, drawn.height, (grid.rows * TILE, grid.cols * TILE))
    boxed = _letterboxed(_mask(drawn, width, height), grid)
    return np.concatenate((np.asarray(overview)[None], _cut(np.asarray(boxed), grid)))


def _mask(drawn: Scene, width: int, height: int) -> Image.Image:
    """The scene's shapes as numbers, at another size."""
    mask = Image.new("L", (width, height))
    pen = ImageDraw.Draw(mask)
    scale = (width / drawn.width, height / drawn.height)
    for number, shape in enumerate(drawn.shapes, start=1):
        pen.polygon([(float(x), float(y)) for x, y in shape.outline * scale - 0.5], fill=number)
    return mask


def _owners(masks: Array) -> Array:
    """[..., TILE, TILE] -> [..., patches]: the shape with most pixels of a patch; UNCLEAR where those are under 8."""
    side = TILE // PATCH
    lead = masks.shape[:-2]
    patches = masks.reshape(*lead, side, PATCH, side, PATCH).swapaxes(-3, -2).reshape(*lead, side * side, PATCH * PATCH)
    counts = np.stack([(patches == number).sum(-1) for number in range(1, 5)], -1)
    owners = np.where(counts.max(-1) >= 8, counts.argmax(-1) + 1, UNCLEAR)
    return np.where(counts.max(-1) == 0, NOBODY, owners).astype(np.uint8)


def patch_targets(drawn: Batch) -> Array:
    """The classes that patches are asked for, [scenes, tiles, patches, 5] int64 in the order of TARGETS.

    Which third of the picture holds the centre of a patch's shape is asked of the overview only.
    """
    table = np.full((len(drawn.scenes), 6, len(TARGETS)), IGNORED)
    table[:, NOBODY, :2] = 0
    for index, each in enumerate(drawn.scenes):
        for number, shape in enumerate(each.shapes, start=1):
            table[index, number] = (
                KINDS.index(shape.kind) + 1,
                COLOURS.index(shape.colour) + 1,
                SIZES.index(shape.size),
                third(shape.x, each.width),
                third(shape.y, each.height),
            )
    targets = table[np.arange(len(drawn.scenes))[:, None, None], drawn.owners]
    targets[:, 1:, :, 3:] = IGNORED
    return targets


def layout(grid: Grid, side: int) -> Array:
    """Where each image token comes from: indices into the flat [tiles * patches] features, then the newline (-1)."""
    tiles = np.arange(side * side, grid.tiles * side * side).reshape(grid.rows, grid.cols, side, side)
    numbers = tiles.swapaxes(1, 2).reshape(grid.rows * side, grid.cols * side)
    rows, columns = unpadded(grid, side)
    top, left = (numbers.shape[0] - rows) // 2, (numbers.shape[1] - columns) // 2
    lines = np.pad(numbers[top : top + rows, left : left + columns], ((0, 0), (0, 1)), constant_values=-1)
    return np.concatenate((np.arange(side * side), lines.ravel()))
