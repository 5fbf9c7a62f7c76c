"""The tokens that stand for a picture and a video, where config.json alone does not tell them apart."""

from __future__ import annotations

from dataclasses import replace

from llavacli_core.config import ModelConfig
from llavacli_core.errors import BrokenModel
from llavacli_core.prompt.files import PULL_AGAIN
from llavacli_core.prompt.tokenizer import Tokenizer


def told_apart(model: ModelConfig, tokenizer: Tokenizer) -> ModelConfig:
    """The same with an id for each kind of placeholder.

    Early copies of LLaVA-NeXT-Video's config.json give one id to both (transformers issue 32273); the tokenizer's
    `<image>` and `<video>`, by whatever names it has for these roles, are then two all the same.
    """
    if model.image_token_id != model.video_token_id:
        return model
    names = tokenizer.special_tokens
    image = tokenizer.id_of(names.get("image_token", "<image>"))
    video = tokenizer.id_of(names.get("video_token", "<video>"))
    if image is None or video is None or image == video:
        raise BrokenModel(
            f"config.json gives pictures and videos the same token, {model.image_token_id}, and the tokenizer "
            "does not tell them apart either",
            hint=f"an early copy of the files had this fault; {PULL_AGAIN}",
        )
    return replace(model, image_token_id=image, video_token_id=video)
