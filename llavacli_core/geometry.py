"""Picture size -> grid -> image tokens, frames -> video tokens: the only counter. Integers all the way.

Every rounding here is the reference's (transformers `image_processing_utils` and `modeling_llava_next`), traps
included: it resizes to `ceil(3000 * (672 / 4000))` = 505 rows, where exact arithmetic gives 504.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from llavacli_core.config import ImageConfig, ModelConfig


@dataclass(frozen=True)
class Grid:
    """How a picture was cut: rows x cols tiles below the overview (0 x 0: the overview alone), and its size in pixels.

    It travels with the pixels, so that nothing downstream has to ask for the picture again.
    """

    rows: int
    cols: int
    width: int
    height: int

    @property
    def tiles(self) -> int:
        """Tiles the vision tower sees, the overview included."""
        return 1 + self.rows * self.cols


def best_resolution(width: int, height: int, pinpoints: tuple[tuple[int, int], ...]) -> tuple[int, int]:
    """The (height, width) among `pinpoints` that keeps most of the picture; of equals, the first wasting least."""
    best, most, least = pinpoints[0], -1, math.inf
    for target_height, target_width in pinpoints:
        scale = min(target_width / width, target_height / height)
        kept = min(int(width * scale) * int(height * scale), width * height)
        wasted = target_width * target_height - kept
        if kept > most or (kept == most and wasted < least):
            best, most, least = (target_height, target_width), kept, wasted
    return best


def fit(width: int, height: int, target: tuple[int, int]) -> tuple[int, int]:
    """The (height, width) of a picture scaled to fit inside `target` (height, width), its aspect kept."""
    target_height, target_width = target
    scale_width, scale_height = target_width / width, target_height / height
    if scale_width < scale_height:
        return min(math.ceil(height * scale_width), target_height), target_width
    return target_height, min(math.ceil(width * scale_height), target_width)


def shortest_edge(width: int, height: int, edge: int) -> tuple[int, int]:
    """The (height, width) of a picture whose shorter edge is scaled to `edge` pixels."""
    if width <= height:
        return int(edge * height / width), edge
    return edge, int(edge * width / height)


def tile_side(config: ImageConfig) -> int:
    """Pixels along one edge of a tile."""
    if config.crop_size is not None:
        return config.crop_size[0]
    return config.size[0] if config.size is not None else config.shortest_edge or 0


def grid_for(width: int, height: int, config: ImageConfig, max_tiles: int | None = None) -> Grid:
    """The grid of a picture; `max_tiles` rules out pinpoints with more tiles, overview included."""
    if config.image_grid_pinpoints is None:
        return Grid(0, 0, width, height)
    side = tile_side(config)
    pinpoints = tuple(
        (rows, cols)
        for rows, cols in config.image_grid_pinpoints
        if max_tiles is None or 1 + (rows // side) * (cols // side) <= max_tiles
    )
    if not pinpoints:
        return Grid(0, 0, width, height)
    target_height, target_width = best_resolution(width, height, pinpoints)
    return Grid(target_height // side, target_width // side, width, height)


def unpadded(grid: Grid, side: int) -> tuple[int, int]:
    """Feature rows and columns left once letterbox bars are dropped; `side` is a tile's patches per edge."""
    rows, cols = grid.rows * side, grid.cols * side
    if grid.width / grid.height > cols / rows:
        bars = (rows - int(round(grid.height * (cols / grid.width), 7))) // 2  # 7: as transformers does
        return rows - 2 * bars, cols
    bars = (cols - int(round(grid.width * (rows / grid.height), 7))) // 2
    return rows, cols - 2 * bars


def overview_tokens(config: ModelConfig) -> int:
    """Tokens of one tile: its patches, and [CLS] where the strategy keeps it."""
    keeps_class = config.vision.class_token and config.connector.vision_feature_select_strategy == "full"
    drops_patch = not config.vision.class_token and config.connector.vision_feature_select_strategy == "default"
    return config.vision.side**2 + keeps_class - drops_patch


def image_tokens(grid: Grid, config: ModelConfig) -> int:
    """Tokens a picture takes: the overview, then (NeXT) each unpadded row of patches and its newline."""
    overview = overview_tokens(config)
    return tiled_tokens(grid, config.vision.side, overview) if config.connector.image_newline else overview


def tiled_tokens(grid: Grid, side: int, overview: int) -> int:
    """Tokens of a picture in tiles of `side` patches per edge, of which the overview takes `overview`."""
    if grid.rows == 0:
        return overview + 1
    rows, cols = unpadded(grid, side)
    return overview + rows * (cols + 1)


def video_tokens(frames: int, config: ModelConfig) -> int:
    """Tokens a video takes: each frame's patches after pooling; what does not fill a window is left out."""
    pooling = config.connector.pooling
    assert pooling is not None
    return frames * (config.vision.side // pooling.stride) ** 2
