"""A picture or a video ready for the tower, and how it entered the prompt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llavacli_core.events import SeenImage, SeenVideo
from llavacli_core.media.tiles import Tiles
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
    """A video's frames, `pixels` float32 [F, 3, S, S], and what is wrong with its file."""

    source: Video  # held, as a picture's is
    seen: SeenVideo
    pixels: NDArray[np.float32]
    warnings: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The video by content and by the frames that were taken from it."""
        return f"{self.seen.sha256}/frames {','.join(map(str, self.seen.frames))}"


Prepared = PreparedImage | PreparedVideo
