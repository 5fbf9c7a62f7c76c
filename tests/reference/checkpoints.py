"""Writes a base checkpoint by transformers' own `save_pretrained`: config, random weights, tokenizer, processor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForImageTextToText,
    CLIPImageProcessorPil,
    LlavaConfig,
    LlavaNextConfig,
    LlavaNextImageProcessorPil,
    LlavaNextProcessor,
    LlavaNextVideoConfig,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    SiglipImageProcessorPil,
    VipLlavaConfig,
)

from tests.reference.models import Base

CONFIGS = {
    "llava": LlavaConfig,
    "llava_next": LlavaNextConfig,
    "vipllava": VipLlavaConfig,
    "llava_next_video": LlavaNextVideoConfig,
}
PROCESSORS = {
    "llava": LlavaProcessor,
    "llava_next": LlavaNextProcessor,
    "vipllava": LlavaProcessor,
    "llava_next_video": LlavaNextProcessor,  # its own cannot be made without torchvision
}
PATCH = 14


def write(base: Base, folder: Path) -> None:
    """The whole checkpoint, in the form that the installed transformers gives it."""
    tokenizer = fast_tokenizer(base)
    model = random_model(config(base, tokenizer), base.seed)
    model.save_pretrained(folder)
    processor(base, tokenizer).save_pretrained(folder)
    if base.takes_videos:
        add_video_processor(base, folder)


def fast_tokenizer(base: Base) -> PreTrainedTokenizerFast:
    """The tokenizer with its special tokens named, `<image>` among them."""
    named = {"bos_token": base.bos, "eos_token": base.eos, "pad_token": base.pad}
    return PreTrainedTokenizerFast(
        tokenizer_object=base.tokenizer(),
        padding_side="left",
        clean_up_tokenization_spaces=False,
        extra_special_tokens={"image_token": "<image>"} | ({"video_token": "<video>"} if base.takes_videos else {}),
        **{role: token for role, token in named.items() if token is not None},
    )


def config(base: Base, tokenizer: PreTrainedTokenizerFast) -> Any:
    """The config; as in published files the vocabulary is rounded up, so that its last ids stand for nothing."""
    rows = -(-(len(tokenizer) + 1) // 32) * 32
    values = {
        "text_config": base.text
        | {
            "vocab_size": rows,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        "vision_config": base.vision
        | {
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 3,
            "num_attention_heads": 2,
            "image_size": base.image_size,
            "patch_size": PATCH,
        },
        "image_token_index": tokenizer.convert_tokens_to_ids("<image>"),
        "vision_feature_layer": base.layer,
        "tie_word_embeddings": base.text.get("tie_word_embeddings", False),
    }
    if base.architecture != "vipllava":
        values["vision_feature_select_strategy"] = base.strategy
    if base.architecture.startswith("llava_next"):
        values["image_grid_pinpoints"] = base.pinpoints
    if base.takes_videos:
        values["video_token_index"] = tokenizer.convert_tokens_to_ids("<video>")
    return CONFIGS[base.architecture](**values, **base.wrapper)


def random_model(config: Any, seed: int) -> Any:
    """The network with every parameter random, norms and biases included, and spread so that no two tokens tie."""
    model = AutoModelForImageTextToText.from_config(config, dtype=torch.float32).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(scaled(name, noise))
        model.get_output_embeddings().weight[config.text_config.eos_token_id] *= 0.1  # long answers: rarely the largest
    return model


def scaled(name: str, noise: torch.Tensor) -> torch.Tensor:
    """Noise of the size that suits a parameter: around one for norms, above 1/sqrt(fan in) for matrices.

    Queries and keys get more, so that attention looks at few places: averaged over a thousand patches, every picture
    would look alike and the answer be one token over and over.
    """
    if name.endswith("bias"):
        return 0.2 * noise
    if "norm" in name:
        return 1 + 0.3 * noise
    if "embed_tokens" in name:
        return noise
    if noise.dim() == 1 or "position_embedding" in name or "lm_head" in name:
        return 0.5 * noise
    spread = 2 if "q_proj" in name or "k_proj" in name else 1.5
    return spread * noise / noise[0].numel() ** 0.5


def processor(base: Base, tokenizer: PreTrainedTokenizerFast) -> Any:
    """The processor with the Pillow image processor that belongs to the tower."""
    return PROCESSORS[base.architecture](
        image_processor=image_processor(base),
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy=base.strategy,
        chat_template=base.template,
        num_additional_image_tokens=int(base.has_class_token),
    )


def image_processor(base: Base) -> Any:
    """CLIP crops the centre, SigLIP squeezes into a square, NeXT cuts tiles."""
    side = base.image_size
    square = {"height": side, "width": side}
    if base.architecture.startswith("llava_next"):
        return LlavaNextImageProcessorPil(
            size={"shortest_edge": side}, crop_size=square, image_grid_pinpoints=base.pinpoints
        )
    if base.has_class_token:
        return CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size=square)
    return SiglipImageProcessorPil(size=square)


def add_video_processor(base: Base, folder: Path) -> None:
    """processor_config.json as the video processor's class would have completed it."""
    path = folder / "processor_config.json"
    side = {"height": base.image_size, "width": base.image_size}
    section = CLIPImageProcessorPil(size={"shortest_edge": base.image_size}, crop_size=side).to_dict()
    section.pop("image_processor_type", None)
    section |= {"video_processor_type": "LlavaNextVideoVideoProcessor", "do_sample_frames": False}
    values = json.loads(path.read_text()) | {"video_processor": section, "video_token": "<video>"}
    path.write_text(json.dumps(values | {"processor_class": "LlavaNextVideoProcessor"}, indent=2))
