"""The families, a row each, and the published checkpoints with the dialect each was trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llavacli_core.config import CaptionerConfig, ModelConfig
from llavacli_core.errors import UnsupportedModel
from llavacli_core.families import captioners, names, readers


@dataclass(frozen=True, kw_only=True)
class Family:
    """One architecture: how config.json spells it, how it is read, and what its weights are called."""

    model_type: str
    architecture: str
    read: Callable[[dict[str, Any]], ModelConfig | CaptionerConfig]
    names: Callable[[dict[str, Any]], names.Table]
    several_images: bool  # whether its checkpoints were trained on several pictures at once; but `ONE_IMAGE`
    marks: bool = False  # whether they were trained on pictures with marks drawn on them

    def takes_several(self, hub_id: str) -> bool:
        """Whether this checkpoint of the family was trained on several pictures at once."""
        return self.several_images and hub_id not in ONE_IMAGE


FAMILIES = (
    Family(
        model_type="llava",
        architecture="LlavaForConditionalGeneration",
        read=readers.llava,
        names=lambda _: names.LLAVA,
        several_images=True,
    ),
    Family(
        model_type="llava_next",
        architecture="LlavaNextForConditionalGeneration",
        read=readers.llava_next,
        names=lambda _: names.LLAVA_NEXT,
        several_images=False,
    ),
    Family(
        model_type="vipllava",
        architecture="VipLlavaForConditionalGeneration",
        read=readers.vipllava,
        names=lambda _: names.VIP_LLAVA,
        several_images=False,
        marks=True,
    ),
    Family(
        model_type="llava_next_video",
        architecture="LlavaNextVideoForConditionalGeneration",
        read=readers.llava_next_video,
        names=lambda _: names.LLAVA_NEXT_VIDEO,
        several_images=True,
    ),
    Family(
        model_type="vision-encoder-decoder",
        architecture="VisionEncoderDecoderModel",
        read=captioners.vision_encoder_decoder,
        names=captioners.weight_names,
        several_images=False,
    ),
)

# Hub id -> the file in templates/ that serves it should the checkpoint bring no template of its own.
PUBLISHED = {
    "llava-hf/llava-1.5-7b-hf": "vicuna",
    "llava-hf/llava-1.5-13b-hf": "vicuna",
    "llava-hf/llava-interleave-qwen-0.5b-hf": "chatml",
    "llava-hf/llava-interleave-qwen-7b-hf": "chatml",
    "llava-hf/llava-interleave-qwen-7b-dpo-hf": "chatml",
    "llava-hf/llava-v1.6-mistral-7b-hf": "mistral",
    "llava-hf/llava-v1.6-vicuna-7b-hf": "vicuna",
    "llava-hf/llava-v1.6-vicuna-13b-hf": "vicuna",
    "llava-hf/llava-v1.6-34b-hf": "chatml-yi",
    "llava-hf/llama3-llava-next-8b-hf": "llama3",
    "llava-hf/llava-next-72b-hf": "chatml",
    "llava-hf/llava-next-110b-hf": "chatml",
    "llava-hf/vip-llava-7b-hf": "vip",
    "llava-hf/vip-llava-13b-hf": "vip",
    "llava-hf/LLaVA-NeXT-Video-7B-hf": "vicuna",
    "llava-hf/LLaVA-NeXT-Video-7B-DPO-hf": "vicuna",
    "llava-hf/LLaVA-NeXT-Video-7B-32K-hf": "mistral",
    "llava-hf/LLaVA-NeXT-Video-34B-hf": "chatml-yi",
    "llava-hf/LLaVA-NeXT-Video-34B-DPO-hf": "chatml-yi",
}

# Those of a family that takes several pictures which were trained on one at a time.
ONE_IMAGE = ("llava-hf/llava-1.5-7b-hf", "llava-hf/llava-1.5-13b-hf")

# Those that take no prompt, and need no template.
CAPTIONERS = (
    "nlpconnect/vit-gpt2-image-captioning",
    "microsoft/trocr-small-printed",
    "microsoft/trocr-small-handwritten",
    "microsoft/trocr-small-stage1",
    "microsoft/trocr-base-printed",
    "microsoft/trocr-base-handwritten",
    "microsoft/trocr-base-stage1",
    "microsoft/trocr-large-printed",
    "microsoft/trocr-large-handwritten",
    "microsoft/trocr-large-stage1",
    "microsoft/trocr-base-str",
    "microsoft/trocr-large-str",
)

# Short names, in small letters; whoever writes them otherwise is understood too.
ALIASES = {hub_id.split("/")[1].removesuffix("-hf").lower(): hub_id for hub_id in (*PUBLISHED, *CAPTIONERS)}


def family_of(config: dict[str, Any]) -> Family:
    """The row for a config.json, by its exact `model_type`."""
    model_type = config.get("model_type")
    for family in FAMILIES:
        if family.model_type == model_type:
            return family
    known = ", ".join(family.model_type for family in FAMILIES)
    said = f"the family {model_type!r}" if model_type else "a config.json without model_type"
    raise UnsupportedModel(f"{said} is not supported", hint=f"known families: {known}")
