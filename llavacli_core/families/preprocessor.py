"""Readers of preprocessor_config.json, in all its published forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from llavacli_core.config import ImageConfig, ModelConfig
from llavacli_core.errors import UnsupportedModel
from llavacli_core.families.keys import MOST_EDGE, Keys

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True, kw_only=True)
class Processor:
    """What a processor class of the reference assumes where a file is silent."""

    size: int | tuple[int, int] = 224
    square: bool = True  # whether a bare `size` is both edges, or the shorter one
    resample: int = 3
    do_center_crop: bool = False
    crop_size: int | None = None
    image_mean: tuple[float, ...] = HALF
    image_std: tuple[float, ...] = HALF


CLIP = Processor(square=False, do_center_crop=True, crop_size=224, image_mean=OPENAI_MEAN, image_std=OPENAI_STD)

# Processor classes without their endings: older files say FeatureExtractor, newer ones may add Fast or Pil.
PROCESSORS = {
    "CLIP": CLIP,
    "Llava": CLIP,
    "LlavaNext": CLIP,
    "LlavaNextVideo": CLIP,
    "Siglip": Processor(size=(224, 224), square=False),
    "ViT": Processor(resample=2),
    "DeiT": Processor(size=256, do_center_crop=True, crop_size=224),
    "Beit": Processor(crop_size=224),
}
ENDINGS = ("ImageProcessorFast", "ImageProcessorPil", "ImageProcessor", "VideoProcessor", "FeatureExtractor")

# The classes that the encoders of captioners, by model_type, were published with.
OF_ENCODERS = {"vit": "ViT", "deit": "DeiT", "beit": "Beit", "swin": "ViT"}


def read_image_config(
    preprocessor: dict[str, Any], model: ModelConfig, where: str = "preprocessor_config.json"
) -> ImageConfig:
    """How this checkpoint wants its pictures; keys left out take the defaults of the processor class it names."""
    keys = Keys(preprocessor, where)
    config = _read(keys, implied="CLIP" if model.vision.class_token else "Siglip")
    if model.image_grid_pinpoints is None:
        return config
    pinpoints = keys.pairs("image_grid_pinpoints", default=model.image_grid_pinpoints)
    return replace(config, image_grid_pinpoints=pinpoints)


def read_encoder_images(
    preprocessor: dict[str, Any], encoder: str, where: str = "preprocessor_config.json"
) -> ImageConfig:
    """How a captioner wants its pictures; a file that names no class means that of the `encoder`'s model_type."""
    return _read(Keys(preprocessor, where), implied=OF_ENCODERS[encoder])


def _read(keys: Keys, *, implied: str) -> ImageConfig:
    """Any of the classes; `implied` is the one meant where the file names none."""
    kind = _kind(keys, implied)
    silent = PROCESSORS[kind]
    shortest_edge, size = _size(keys, silent)
    return ImageConfig(
        do_resize=keys.flag("do_resize", default=True),
        shortest_edge=shortest_edge,
        size=size,
        resample=keys.integer("resample", default=silent.resample, least=0, most=5),
        do_center_crop=keys.flag("do_center_crop", default=silent.do_center_crop),
        crop_size=_crop_size(keys, silent),
        do_rescale=keys.flag("do_rescale", default=True),
        rescale_factor=keys.number("rescale_factor", default=1 / 255),
        do_normalize=keys.flag("do_normalize", default=True),
        image_mean=keys.numbers("image_mean", length=3, default=silent.image_mean),
        image_std=_nonzero(keys, "image_std", silent.image_std),
        pad_to_square=kind == "Llava" and keys.flag("do_pad", default=False),
        image_grid_pinpoints=None,
    )


def read_frame_config(preprocessor: dict[str, Any], model: ModelConfig, where: str) -> ImageConfig:
    """How this checkpoint wants a video's frames: each is one tile, prepared as a picture by CLIP's processor."""
    return replace(read_image_config(preprocessor, model, where), image_grid_pinpoints=None, pad_to_square=False)


def _nonzero(keys: Keys, name: str, default: tuple[float, ...]) -> tuple[float, ...]:
    """Three numbers to divide by."""
    values = keys.numbers(name, length=3, default=default)
    if 0 in values:
        raise keys.fault(name, "numbers other than 0", list(values))
    return values


def _kind(keys: Keys, implied: str) -> str:
    """The processor's class without its ending."""
    name = keys.get("image_processor_type", "video_processor_type", "feature_extractor_type", default=implied)
    kind = next((str(name).removesuffix(ending) for ending in ENDINGS if str(name).endswith(ending)), str(name))
    if kind not in PROCESSORS:
        known = ", ".join(f"{each}ImageProcessor" for each in PROCESSORS)
        raise UnsupportedModel(f"{keys.where}: the image processor {name!r} is not supported", hint=f"known: {known}")
    return kind


def _size(keys: Keys, silent: Processor) -> tuple[int | None, tuple[int, int] | None]:
    """(shortest edge, None) or (None, (height, width)), from a section, a pair or a bare number."""
    value = keys.get("size", default=silent.size)
    if not isinstance(value, Mapping):
        edges = _edges(keys, "size", value)
        return (None, edges) if silent.square or isinstance(value, (list, tuple)) else (edges[0], None)
    size = keys.section("size")
    if "height" in size.values:
        return None, (size.integer("height", most=MOST_EDGE), size.integer("width", most=MOST_EDGE))
    if "longest_edge" in size.values:
        raise keys.fault("size", "shortest_edge, or height and width", value)
    return size.integer("shortest_edge", most=MOST_EDGE), None


def _crop_size(keys: Keys, silent: Processor) -> tuple[int, int] | None:
    """(height, width) of the centre crop; None where the class has none."""
    value = keys.get("crop_size", default=silent.crop_size)
    if value is None:
        return None
    if not isinstance(value, Mapping):
        return _edges(keys, "crop_size", value)
    crop = keys.section("crop_size")
    return crop.integer("height", most=MOST_EDGE), crop.integer("width", most=MOST_EDGE)


def _edges(keys: Keys, name: str, value: Any) -> tuple[int, int]:
    """One number for both edges, or (height, width), as older files have it."""
    edges = keys.integers(name, default=value)
    if len(edges) not in (1, 2) or min(edges) < 1 or max(edges) > MOST_EDGE:
        raise keys.fault(name, f"a whole number from 1 to {MOST_EDGE}, or two", value)
    return edges[0], edges[-1]
