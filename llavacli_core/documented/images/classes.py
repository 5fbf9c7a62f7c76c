"""The documented image processors, each with its defaults: CLIP, SigLIP, LLaVA, LLaVA-NeXT, ViT, DeiT, BEiT."""

from __future__ import annotations

from dataclasses import replace
from os import PathLike
from typing import Any, ClassVar, Unpack

import numpy as np

from llavacli_core.config import ImageConfig
from llavacli_core.documented.batch import BatchFeature
from llavacli_core.documented.folders import folder_of, hub_options
from llavacli_core.documented.images.base import BaseImageProcessor, CallKwargs
from llavacli_core.documented.images.pictures import taken, tiles_of
from llavacli_core.errors import UnsupportedModel
from llavacli_core.families.preprocessor import ENDINGS, OF_ENCODERS
from llavacli_core.families.readers import PINPOINTS
from llavacli_core.prompt.files import read_json


class CLIPImageProcessor(BaseImageProcessor, kind="CLIP"):
    """The shorter edge to 224 pixels, then the square in the middle."""


class SiglipImageProcessor(BaseImageProcessor, kind="Siglip"):
    """Squeezed into a square; of a bare size, the shorter edge is of that."""


class ViTImageProcessor(BaseImageProcessor, kind="ViT"):
    """Squeezed into a square, bilinearly."""


class DeiTImageProcessor(BaseImageProcessor, kind="DeiT"):
    """Squeezed into a square of 256, of which the middle 224 are kept."""


class BeitImageProcessor(BaseImageProcessor, kind="Beit"):
    """Squeezed into a square."""


class LlavaImageProcessor(BaseImageProcessor, kind="Llava"):
    """CLIP's; with `do_pad`, as in the original LLaVA, the picture is first put on a square of the mean colour."""

    def config_for(self, call: dict[str, Any]) -> ImageConfig:
        """As of every processor, and the square."""
        return replace(super().config_for(call), pad_to_square=call["do_pad"])


class LlavaNextImageProcessor(BaseImageProcessor, kind="LlavaNext"):
    """The picture squeezed into one tile, then the picture cut into tiles along the grid that suits it best."""

    model_input_names: ClassVar[list[str]] = ["pixel_values", "image_sizes"]

    image_grid_pinpoints: list[list[int]] | None = [list(pair) for pair in PINPOINTS]  # noqa: RUF012 (copied for each object)
    do_pad: bool = True

    def preprocess(self, images: Any, **kwargs: Unpack[CallKwargs]) -> BatchFeature:
        """`pixel_values` [B, N, 3, S, S], and `image_sizes` [B, 2], the (height, width) of each picture.

        N is the largest number of tiles; with `do_pad`, the others are filled up with zeros.
        """
        call = self.for_call(dict(kwargs))
        config = self.config_for(call)
        given = list(taken(images, call["input_data_format"]))
        pixels = [tiles_of(each, config).pixels for each in given]
        if call["do_pad"]:
            most = max((len(tiles) for tiles in pixels), default=0)
            pixels = [np.pad(tiles, [(0, most - len(tiles)), (0, 0), (0, 0), (0, 0)]) for tiles in pixels]
        sizes = [each.size for each in given]
        return BatchFeature(
            {"pixel_values": self._laid_out(pixels, call), "image_sizes": sizes}, call["return_tensors"]
        )


class AutoImageProcessor:
    """Reads a preprocessor_config.json into the class that it names, or that config.json implies."""

    @staticmethod
    def from_pretrained(pretrained_model_name_or_path: str | PathLike[str], **kwargs: Any) -> BaseImageProcessor:
        """The image processor of a folder, a Hub id or an alias; keywords replace its values."""
        folder = folder_of(pretrained_model_name_or_path, **hub_options(kwargs))
        values = BaseImageProcessor.read_settings(folder)
        name = values.get("image_processor_type") or values.get("feature_extractor_type")
        kind = _implied(read_json(folder / "config.json")) if name is None else _kind(name)
        if kind not in CLASSES:
            raise UnsupportedModel(
                f"{folder}: the image processor {name!r} is not supported",
                hint=f"known: {', '.join(each.__name__ for each in CLASSES.values())}",
            )
        return CLASSES[kind].from_dict(values, **kwargs)


def _kind(name: str) -> str:
    """The class's name without its ending."""
    return next((name.removesuffix(ending) for ending in ENDINGS if name.endswith(ending)), name)


def _implied(config: dict[str, Any]) -> str | None:
    """The class that a model's encoder was published with."""
    encoder = config.get("encoder") or config.get("vision_config") or config
    towers = {"clip_vision_model": "CLIP", "siglip_vision_model": "Siglip"}
    return (OF_ENCODERS | towers).get(encoder.get("model_type", "clip_vision_model"))


CLASSES: dict[str | None, type[BaseImageProcessor]] = {
    "CLIP": CLIPImageProcessor,
    "Siglip": SiglipImageProcessor,
    "ViT": ViTImageProcessor,
    "DeiT": DeiTImageProcessor,
    "Beit": BeitImageProcessor,
    "Llava": LlavaImageProcessor,
    "LlavaNext": LlavaNextImageProcessor,
}

# transformers has two makes of each, which differ in speed and in the last bits; here is one.
CLIPImageProcessorFast = CLIPImageProcessorPil = CLIPImageProcessor
SiglipImageProcessorFast = SiglipImageProcessorPil = SiglipImageProcessor
ViTImageProcessorFast = ViTImageProcessorPil = ViTImageProcessor
DeiTImageProcessorFast = DeiTImageProcessorPil = DeiTImageProcessor
BeitImageProcessorFast = BeitImageProcessorPil = BeitImageProcessor
LlavaImageProcessorFast = LlavaImageProcessorPil = LlavaImageProcessor
LlavaNextImageProcessorFast = LlavaNextImageProcessorPil = LlavaNextImageProcessor
