"""The documented processors of LLaVA-NeXT and LLaVA-NeXT-Video: pictures in tiles, and videos."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from llavacli_core.documented.batch import BatchFeature
from llavacli_core.documented.images.base import BaseImageProcessor
from llavacli_core.documented.images.classes import LlavaNextImageProcessor
from llavacli_core.documented.images.video import LlavaNextVideoVideoProcessor
from llavacli_core.documented.text.llava import LlavaProcessor
from llavacli_core.documented.text.tokenizers import PreTrainedTokenizerFast
from llavacli_core.geometry import grid_for, tiled_tokens
from llavacli_core.prompt.files import read_json

STRIDE = 2  # of the pooling of frames, in patches: every published checkpoint's


class LlavaNextProcessor(LlavaProcessor):
    """The processor of LLaVA-NeXT: a picture is an overview and tiles."""

    @classmethod
    def read_images(cls, folder: Path, changes: dict[str, Any]) -> BaseImageProcessor:
        """Older files name the image processor of another family, or none, and leave the grids to config.json."""
        values = LlavaNextImageProcessor.read_settings(folder)
        pinpoints = read_json(folder / "config.json").get("image_grid_pinpoints")
        grids = {} if values.get("image_grid_pinpoints") else {"image_grid_pinpoints": pinpoints}
        return LlavaNextImageProcessor.from_dict({**values, "do_pad": True, **grids}, **changes)

    def image_counts(self, pictures: BatchFeature, kwargs: dict[str, Any]) -> list[int]:
        """The tokens of each picture: its overview's, then those of its unpadded rows and their newlines."""
        config = self.image_processor.config_for(self.image_processor.for_call(dict(kwargs)))
        counts = []
        for pixels, (height, width) in zip(pictures["pixel_values"], pictures["image_sizes"], strict=True):
            grid = grid_for(int(width), int(height), config)
            counts.append(tiled_tokens(grid, pixels.shape[-1] // self.patch, self.tile_tokens(pixels)))
        return counts


class LlavaNextVideoProcessor(LlavaNextProcessor):
    """The processor of LLaVA-NeXT-Video: pictures as LLaVA-NeXT's, and videos."""

    stored: ClassVar[tuple[str, ...]] = (*LlavaProcessor.stored, "video_token")
    tensors: ClassVar[str | None] = "pt"

    def __init__(
        self,
        video_processor: LlavaNextVideoVideoProcessor,
        image_processor: BaseImageProcessor,
        tokenizer: PreTrainedTokenizerFast,
        chat_template: str | None = None,
        patch_size: int | None = None,
        vision_feature_select_strategy: str | None = None,
        video_token: str = "<video>",
        image_token: str = "<image>",
        num_additional_image_tokens: int = 0,
        **_: Any,
    ) -> None:
        super().__init__(
            image_processor,
            tokenizer,
            patch_size,
            vision_feature_select_strategy,
            chat_template,
            image_token,
            num_additional_image_tokens,
        )
        self.video_processor = video_processor
        self.video_token: str = getattr(tokenizer, "video_token", None) or video_token

    @property
    def video_token_id(self) -> int | None:  # type: ignore[override]
        """The id of videos' tokens."""
        return self.tokenizer.tokenizer.id_of(self.video_token)

    def video_counts(self, clips: BatchFeature) -> list[int]:
        """The tokens of each video [F, 3, H, W]; [CLS] is never among them."""
        counts = []
        for video in clips["pixel_values_videos"]:
            frames, _, height, width = video.shape
            rows, cols = (edge // self.patch // STRIDE for edge in (height, width))
            counts.append(int(frames * rows * cols))
        return counts

    @classmethod
    def settings(cls, folder: Path) -> dict[str, Any]:
        """As of LLaVA-NeXT, and the video processor."""
        video_processor = LlavaNextVideoVideoProcessor.from_pretrained(folder)
        return {**super().settings(folder), "video_processor": video_processor}
