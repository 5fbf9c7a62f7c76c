"""Readers of preprocessor_config.json, in all its published forms, and of generation_config.json's stop ids."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from llavacli_core.config import ImageConfig, ModelConfig
from llavacli_core.errors import UnsupportedModel
from llavacli_core.families.keys import Keys

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5)

# Processor classes by what they assume; older files say FeatureExtractor, newer ones may add Fast or Pil.
CLIP_LIKE = ("CLIP", "Llava", "LlavaNext", "LlavaNextVideo")
SQUARE = ("Siglip",)
ENDINGS = ("ImageProcessorFast", "ImageProcessorPil", "ImageProcessor", "VideoProcessor", "FeatureExtractor")


def read_image_config(
    preprocessor: dict[str, Any], model: ModelConfig, where: str = "preprocessor_config.json"
) -> ImageConfig:
    """How this checkpoint wants its pictures; keys left out take the defaults of the processor class it names."""
    keys = Keys(preprocessor, where)
    kind = _kind(keys, model)
    clip = kind in CLIP_LIKE
    shortest_edge, size = _size(keys, clip=clip)
    tiled = model.image_grid_pinpoints is not None
    return ImageConfig(
        do_resize=keys.flag("do_resize", default=True),
        shortest_edge=shortest_edge,
        size=size,
        resample=keys.integer("resample", default=3, least=0, most=5),
        do_center_crop=keys.flag("do_center_crop", default=clip),
        crop_size=_crop_size(keys, clip=clip),
        do_rescale=keys.flag("do_rescale", default=True),
        rescale_factor=keys.number("rescale_factor", default=1 / 255),
        do_normalize=keys.flag("do_normalize", default=True),
        image_mean=keys.numbers("image_mean", length=3, default=OPENAI_MEAN if clip else HALF),
        image_std=_nonzero(keys, "image_std", OPENAI_STD if clip else HALF),
        pad_to_square=kind == "Llava" and keys.flag("do_pad", default=False),
        image_grid_pinpoints=keys.pairs("image_grid_pinpoints", default=model.image_grid_pinpoints) if tiled else None,
    )


def read_frame_config(preprocessor: dict[str, Any], model: ModelConfig, where: str) -> ImageConfig:
    """How this checkpoint wants a video's frames: each is one tile, prepared as a picture by CLIP's processor."""
    return replace(read_image_config(preprocessor, model, where), image_grid_pinpoints=None, pad_to_square=False)


def read_stop_ids(generation: dict[str, Any], model: ModelConfig) -> tuple[int, ...]:
    """Ids that end an answer: generation_config.json's, all of them, else config.json's."""
    return Keys(generation, "generation_config.json").integers("eos_token_id") or model.eos_token_ids


def _nonzero(keys: Keys, name: str, default: tuple[float, ...]) -> tuple[float, ...]:
    """Three numbers to divide by."""
    values = keys.numbers(name, length=3, default=default)
    if 0 in values:
        raise keys.fault(name, "numbers other than 0", list(values))
    return values


def _kind(keys: Keys, model: ModelConfig) -> str:
    """The processor's class without its ending; where a file names none, what the family implies."""
    name = keys.get("image_processor_type", "video_processor_type", "feature_extractor_type")
    if name is None:
        return "CLIP" if model.vision.class_token else "Siglip"
    kind = next((str(name).removesuffix(ending) for ending in ENDINGS if str(name).endswith(ending)), str(name))
    if kind not in CLIP_LIKE + SQUARE:
        known = ", ".join(f"{each}ImageProcessor" for each in CLIP_LIKE + SQUARE)
        raise UnsupportedModel(f"{keys.where}: the image processor {name!r} is not supported", hint=f"known: {known}")
    return kind


def _size(keys: Keys, *, clip: bool) -> tuple[int | None, tuple[int, int] | None]:
    """(shortest edge, None) or (None, (height, width)); a bare number means the edge for CLIP, a square else."""
    value = keys.get("size", default=224)
    if isinstance(value, int):
        edge = keys.integer("size", default=224)
        return (edge, None) if clip else (None, (edge, edge))
    size = keys.section("size")
    if "height" in size.values:
        return None, (size.integer("height"), size.integer("width"))
    if "longest_edge" in size.values:
        raise keys.fault("size", "shortest_edge, or height and width", value)
    return size.integer("shortest_edge"), None


def _crop_size(keys: Keys, *, clip: bool) -> tuple[int, int] | None:
    """(height, width) of the centre crop; None where the class has none."""
    value = keys.get("crop_size", default=224 if clip else None)
    if value is None:
        return None
    if isinstance(value, int):
        return (value, value)
    crop = keys.section("crop_size")
    return crop.integer("height"), crop.integer("width")
