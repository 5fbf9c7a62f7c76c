"""The small files of a checkpoint, read once: config, preprocessor, stop ids."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from llavacli_core.config import ImageConfig, ModelConfig
from llavacli_core.errors import BrokenModel
from llavacli_core.families.preprocessor import read_image_config, read_stop_ids
from llavacli_core.families.registry import Family, family_of
from llavacli_core.prompt.files import read_json


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a checkpoint's JSON files say, settled: everything but words and weights."""

    family: Family
    model: ModelConfig
    images: ImageConfig
    stop_ids: tuple[int, ...]


def describe(folder: Path) -> Description:
    """Read config.json, preprocessor_config.json (or its section of processor_config.json), generation_config.json."""
    config = read_json(folder / "config.json")
    if not config:
        raise BrokenModel(f"{folder}: no config.json, or an empty one", hint="this is no checkpoint folder")
    family = family_of(config)
    model = family.read(config)
    # transformers 5 moves the image processor's keys into processor_config.json and drops the old file.
    processor = read_json(folder / "processor_config.json")
    preprocessor = processor.get("image_processor") or read_json(folder / "preprocessor_config.json")
    if not preprocessor:
        raise BrokenModel(f"{folder}: no preprocessor_config.json, or an empty one", hint="fetch it again")
    return Description(
        family=family,
        model=model,
        images=read_image_config(preprocessor, model),
        stop_ids=read_stop_ids(read_json(folder / "generation_config.json"), model),
    )
