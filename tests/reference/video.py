"""The reference's processor for LLaVA-NeXT-Video without torchvision, which its own cannot be made without.

Pictures go through LLaVA-NeXT's, which counts and cuts them alike; frames through CLIP's Pillow processor one by one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import CLIPImageProcessorPil, LlavaNextImageProcessorPil, LlavaNextProcessor, PreTrainedTokenizerFast


class VideoProcessor:
    """What `Reference` asks of a processor, with videos."""

    def __init__(self, folder: Path) -> None:
        values = json.loads((folder / "processor_config.json").read_text())
        config = json.loads((folder / "config.json").read_text())
        # tokenizer.json as it is: for this family transformers 5.23 would rebuild it and lose the spaces after tokens.
        self.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        self.pictures = LlavaNextProcessor(
            image_processor=LlavaNextImageProcessorPil(**values["image_processor"]),
            tokenizer=self.tokenizer,
            chat_template=(folder / "chat_template.jinja").read_text(),
            **{key: values[key] for key in ("patch_size", "vision_feature_select_strategy")},
            num_additional_image_tokens=values["num_additional_image_tokens"],
        )
        self.frames = CLIPImageProcessorPil(**values["video_processor"])
        side = config["vision_config"]["image_size"] // config["vision_config"]["patch_size"]
        self.frame_tokens = (side // config.get("spatial_pool_stride", 2)) ** 2

    def apply_chat_template(self, conversation: list[dict], *, tokenize: bool = False, **options: Any) -> Any:
        """The prompt's text, or with `tokenize` ids and pixels."""
        text = self.pictures.apply_chat_template(conversation, add_generation_prompt=True)
        if not tokenize:
            return text
        parts = [part for message in conversation for part in message["content"]]
        images = [part["image"] for part in parts if part["type"] == "image"]
        videos = [part["video"] for part in parts if part["type"] == "video"]
        before, *after = text.split("<video>")
        assert len(after) == len(videos)
        for frames, rest in zip(videos, after, strict=True):
            before += "<video>" * (len(frames) * self.frame_tokens) + rest
        inputs = self.pictures(text=before, images=images or None, return_tensors="pt")
        if videos:
            # One after another in one row, as clips of different lengths cannot be stacked; their features come alike.
            inputs["pixel_values_videos"] = self.pixels([frame for frames in videos for frame in frames])
        return inputs

    def pixels(self, frames: list) -> torch.Tensor:
        """[1, F, 3, S, S]."""
        prepared = [self.frames(frame, return_tensors="pt")["pixel_values"] for frame in frames]
        return torch.cat(prepared)[None]
