"""The small files of a checkpoint, read once: config, preprocessor, stop ids."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from llavacli_core.config import CaptionerConfig, GenerationDefaults, ImageConfig, ModelConfig
from llavacli_core.errors import BrokenModel
from llavacli_core.families.encoders import encoder_type
from llavacli_core.families.generation import read_generation
from llavacli_core.families.keys import Keys
from llavacli_core.families.names import Table
from llavacli_core.families.preprocessor import read_encoder_images, read_frame_config, read_image_config
from llavacli_core.families.registry import Family, family_of
from llavacli_core.prompt.files import read_json


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a LLaVA checkpoint's JSON files say, settled: everything but words and weights."""

    family: Family
    model: ModelConfig
    names: Table  # of the weights
    images: ImageConfig
    frames: ImageConfig | None  # of videos; None: it takes none
    stop_ids: tuple[int, ...]
    generation: GenerationDefaults


@dataclass(frozen=True, kw_only=True)
class CaptionerDescription:
    """The same of a captioner: one picture in, and no prompt."""

    family: Family
    model: CaptionerConfig
    names: Table
    images: ImageConfig
    stop_ids: tuple[int, ...]
    generation: GenerationDefaults


def describe(folder: Path) -> Description | CaptionerDescription:
    """Read config.json, preprocessor_config.json (or its section of processor_config.json), generation_config.json."""
    config = read_json(folder / "config.json")
    if not config:
        raise BrokenModel(f"{folder}: no config.json, or an empty one", hint="this is no checkpoint folder")
    family = family_of(config)
    model, names = family.read(config), family.names(config)
    # transformers 5 moves the image processor's keys into processor_config.json and drops the old file.
    processor = read_json(folder / "processor_config.json")
    preprocessor = processor.get("image_processor") or read_json(folder / "preprocessor_config.json")
    if not preprocessor:
        raise BrokenModel(f"{folder}: no preprocessor_config.json, or an empty one", hint="fetch it again")
    generation = read_generation(read_json(folder / "generation_config.json"), config)
    stop_ids = generation.eos_token_ids or model.eos_token_ids
    generation = replace(generation, eos_token_ids=stop_ids)
    if isinstance(model, CaptionerConfig):
        encoder = encoder_type(Keys(config, "config.json").section("encoder"))
        images = read_encoder_images(preprocessor, encoder)
        return CaptionerDescription(
            family=family, model=model, names=names, images=images, stop_ids=stop_ids, generation=generation
        )
    return Description(
        family=family,
        model=model,
        names=names,
        images=read_image_config(preprocessor, model),
        frames=None if model.video_token_id is None else _frames(folder, processor, preprocessor, model),
        stop_ids=stop_ids,
        generation=generation,
    )


def _frames(folder: Path, processor: dict[str, Any], preprocessor: dict[str, Any], model: ModelConfig) -> ImageConfig:
    """How frames are prepared: the video processor's own section or file, else the pictures'.

    Both kinds of processor were once saved as preprocessor_config.json, so that it may be either's.
    """
    if own := processor.get("video_processor"):
        return read_frame_config(own, model, "processor_config.json: video_processor")
    if own := read_json(folder / "video_preprocessor_config.json"):
        return read_frame_config(own, model, "video_preprocessor_config.json")
    return read_frame_config(preprocessor, model, "preprocessor_config.json")
