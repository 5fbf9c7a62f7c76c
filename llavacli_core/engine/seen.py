"""What the tower gets, as pictures again: tiles and frames with their normalisation undone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures

from llavacli_core.config import ImageConfig
from llavacli_core.engine.captions import CaptionProcessor
from llavacli_core.engine.processor import Processor
from llavacli_core.errors import InputError
from llavacli_core.messages import Image, Video


@dataclass(frozen=True, eq=False)
class SeenTiles:
    """A picture's overview, then its `rows` x `cols` tiles row by row; or a video's frames, which have no grid."""

    pictures: tuple[Pictures.Image, ...]
    rows: int = 0
    cols: int = 0


def tiles_as_seen(processor: Processor | CaptionProcessor, part: Image | Video) -> SeenTiles:
    """A picture or a video as the model gets it: upright, marked, resized, padded, cut and cropped.

    Every level is the very one that was normalised. Raises InputError as reading `part` does.
    """
    if isinstance(part, Image):
        tiles = processor.opener.image(part).tiles
        pictures = pictures_of(tiles.pixels, processor.description.images)
        return SeenTiles(pictures, tiles.grid.rows, tiles.grid.cols)
    if isinstance(processor, CaptionProcessor):
        raise InputError("this model captions pictures, not videos", hint="give a picture, such as one of its frames")
    pixels, config = processor.opener.video(part).pixels, processor.description.frames
    assert config is not None  # else it had not been opened
    return SeenTiles(pictures_of(pixels, config))


def pictures_of(pixels: NDArray[np.float32], config: ImageConfig) -> tuple[Pictures.Image, ...]:
    """Normalised pixels [N, 3, H, W] as N pictures of 8-bit levels, the way back of what `config` asks for."""
    levels = pixels.astype(np.float64)
    if config.do_normalize:
        mean, std = (np.array(values, np.float64)[:, None, None] for values in (config.image_mean, config.image_std))
        levels = levels * std + mean
    if config.do_rescale:
        levels = levels / config.rescale_factor
    rounded = np.clip(np.rint(levels), 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)  # [N, H, W, 3]
    return tuple(Pictures.fromarray(np.ascontiguousarray(tile)) for tile in rounded)
