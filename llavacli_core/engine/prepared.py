"""A picture or a video ready for the tower, and how it entered the prompt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llavacli_core.config import ImageConfig
from llavacli_core.errors import BrokenModel
from llavacli_core.events import SeenImage, SeenVideo
from llavacli_core.geometry import Grid
from llavacli_core.media.marking import draw
from llavacli_core.media.picture import open_picture
from llavacli_core.media.source import read_source
from llavacli_core.media.tiles import Tiles, prepare
from llavacli_core.messages import Image, Video


@dataclass(frozen=True, kw_only=True)
class PreparedImage:
    """A picture's tiles."""

    source: Image  # held, so that no other image can come by its id while this one is looked up by it
    seen: SeenImage
    tiles: Tiles

    @property
    def key(self) -> str:
        """The picture by content, by the way it was cut, which `max_tiles` may change, and by the marks on it."""
        return " ".join((f"{self.seen.sha256}/{self.tiles.grid.rows}x{self.tiles.grid.cols}", *self.seen.marks))


@dataclass(frozen=True, kw_only=True, eq=False)
class PreparedVideo:
    """A video's frames, `pixels` float32 [F, 3, S, S]."""

    source: Video  # held, as a picture's is
    seen: SeenVideo
    pixels: NDArray[np.float32]

    @property
    def key(self) -> str:
        """The video by content and by the frames that were taken from it."""
        return f"{self.seen.sha256}/frames {','.join(map(str, self.seen.frames))}"


Prepared = PreparedImage | PreparedVideo


def open_image(
    image: Image, config: ImageConfig, size: tuple[int, int], model: str, *, tokens: Callable[[Grid], int]
) -> PreparedImage:
    """Read a picture, turn it upright, draw its marks, cut and normalise it to tiles of `size` (height, width).

    `model` is named should its files contradict each other; `tokens` says what a picture costs.
    """
    source = read_source(image.source)
    tiles = prepare(draw(open_picture(source), image.marks, source.name), config, image.max_tiles)
    check_size(tiles.pixels.shape, size, model)
    seen = SeenImage(
        source=source.name,
        sha256=source.sha256,
        width=tiles.grid.width,
        height=tiles.grid.height,
        tiles=tiles.grid.tiles,
        tokens=tokens(tiles.grid),
        marks=tuple(map(str, image.marks)),
    )
    return PreparedImage(source=image, seen=seen, tiles=tiles)


def check_size(shape: tuple[int, ...], wanted: tuple[int, int], model: str) -> None:
    """Refuse tiles or frames [N, 3, H, W] of another (height, width) than the tower's."""
    given = shape[-2:]
    if given != wanted:
        raise BrokenModel(
            f"{model}: tiles of {given[1]} x {given[0]} pixels for a tower of {wanted[1]} x {wanted[0]}",
            hint="preprocessor_config.json and config.json are of different models",
        )
