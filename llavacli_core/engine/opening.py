"""What a checkpoint wants of pictures and videos, as a value by which any process can open them. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from llavacli_core.config import ImageConfig, ModelConfig
from llavacli_core.engine.prepared import Prepared, PreparedImage, PreparedVideo
from llavacli_core.errors import BrokenModel, InputError
from llavacli_core.events import SeenImage, SeenVideo
from llavacli_core.geometry import image_tokens, video_tokens
from llavacli_core.media.marking import draw
from llavacli_core.media.picture import open_picture
from llavacli_core.media.source import read_source
from llavacli_core.media.tiles import prepare
from llavacli_core.messages import Image, Video

Open = Callable[[Image | Video], Prepared]


@dataclass(frozen=True, kw_only=True)
class Opener:
    """Sizes and tables alone. What cannot be read, or marked as asked for, raises InputError."""

    checkpoint: str  # named should its files contradict each other
    images: ImageConfig
    frames: ImageConfig | None  # of videos; None: it takes none
    tile: tuple[int, int]  # (height, width) that the tower was made for
    model: ModelConfig | None  # counts tokens; None: a captioner, whose prompts have none

    def open(self, part: Image | Video) -> Prepared:
        """A picture or a video, ready for the tower."""
        return self.image(part) if isinstance(part, Image) else self.video(part)

    def image(self, image: Image) -> PreparedImage:
        """Read a picture, turn it upright, draw its marks, cut (or resize) and normalise it."""
        source = read_source(image.source)
        tiles = prepare(draw(open_picture(source), image.marks, source.name), self.images, image.max_tiles)
        self._check_size(tiles.pixels.shape)
        seen = SeenImage(
            source=source.name,
            sha256=source.sha256,
            width=tiles.grid.width,
            height=tiles.grid.height,
            tiles=tiles.grid.tiles,
            tokens=0 if self.model is None else image_tokens(tiles.grid, self.model),
            marks=tuple(map(str, image.marks)),
        )
        return PreparedImage(source=image, seen=seen, tiles=tiles)

    def video(self, video: Video) -> PreparedVideo:
        """Take frames from a video, and crop and normalise each of them."""
        from llavacli_core.media.clip import read_clip  # only those who show videos pay for PyAV

        config, model = self.frames, self.model
        if config is None or model is None:
            raise InputError(
                "this model takes no videos", hint="choose one that does, e.g. -m llava-hf/LLaVA-NeXT-Video-7B-hf"
            )
        clip = read_clip(video, default_frames=model.default_frames)
        with ThreadPoolExecutor() as threads:  # resizing lets go of Python's lock
            frames = threads.map(lambda picture: prepare(picture, config).pixels, clip.pictures)
            pixels = np.concatenate(list(frames))
        self._check_size(pixels.shape)
        seen = SeenVideo(
            source=clip.name,
            sha256=clip.sha256,
            width=clip.width,
            height=clip.height,
            frames=clip.frames,
            tokens=video_tokens(len(pixels), model),
        )
        return PreparedVideo(source=video, seen=seen, pixels=pixels, warnings=clip.warnings)

    def _check_size(self, shape: tuple[int, ...]) -> None:
        """Refuse tiles or frames [N, 3, H, W] of another (height, width) than the tower's."""
        given, wanted = shape[-2:], self.tile
        if given != wanted:
            raise BrokenModel(
                f"{self.checkpoint}: tiles of {given[1]} x {given[0]} pixels for a tower of {wanted[1]} x {wanted[0]}",
                hint="preprocessor_config.json and config.json are of different models",
            )
