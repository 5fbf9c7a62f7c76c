"""Image configs built by hand, each with the transformers processor that it describes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from llavacli_core.config import ImageConfig

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
PINPOINTS = ((336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008))
SMALL_PINPOINTS = ((64, 128), (128, 64), (128, 128), (64, 192), (192, 64))


@dataclass(frozen=True)
class Form:
    """A config, and the reference's values (float32 [N, 3, H, W]) for a picture."""

    config: ImageConfig
    reference: Callable[[Image.Image], np.ndarray]


def form(processor: type[Any], **changes: Any) -> Form:
    """`changes` to the defaults of CLIP at 336 pixels, as ImageConfig fields; told to the reference in its terms."""
    fields: dict[str, Any] = {
        "do_resize": True,
        "shortest_edge": None if "size" in changes else 336,
        "size": None,
        "resample": 3,
        "do_center_crop": processor is not SiglipImageProcessorPil,
        "crop_size": None if processor is SiglipImageProcessorPil else (336, 336),
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": MEAN,
        "image_std": STD,
        "pad_to_square": False,
        "image_grid_pinpoints": PINPOINTS if processor is LlavaNextImageProcessorPil else None,
    } | changes
    config = ImageConfig(**fields)
    edge, size, crop = fields.pop("shortest_edge"), fields.pop("size"), fields.pop("crop_size")
    pad, pinpoints = fields.pop("pad_to_square"), fields.pop("image_grid_pinpoints")
    fields["size"] = {"shortest_edge": edge} if size is None else {"height": size[0], "width": size[1]}
    if crop is not None:
        fields["crop_size"] = {"height": crop[0], "width": crop[1]}
    if processor is LlavaImageProcessorPil:
        fields["do_pad"] = pad
    if pinpoints is not None:
        fields["image_grid_pinpoints"] = [list(pinpoint) for pinpoint in pinpoints]
    fields["image_mean"], fields["image_std"] = list(fields["image_mean"]), list(fields["image_std"])
    made = processor(**fields)

    def reference(picture: Image.Image) -> np.ndarray:
        values = np.asarray(made(picture, return_tensors="np")["pixel_values"], np.float32)
        return values[0] if values.ndim == 5 else values

    return Form(config, reference)


NEXT, CLIP = LlavaNextImageProcessorPil, CLIPImageProcessorPil

FORMS = {
    "next": form(NEXT),
    "next, demo": form(
        NEXT, shortest_edge=64, crop_size=(64, 64), image_grid_pinpoints=SMALL_PINPOINTS, image_mean=(0.5,) * 3
    ),
    "next, square size": form(
        NEXT, size=(64, 64), crop_size=(64, 64), image_grid_pinpoints=SMALL_PINPOINTS, resample=2
    ),
    "next, tiles larger than the edge": form(
        NEXT, shortest_edge=48, crop_size=(64, 64), image_grid_pinpoints=SMALL_PINPOINTS
    ),
    "next, tiles smaller than the edge": form(
        NEXT, shortest_edge=81, crop_size=(64, 64), image_grid_pinpoints=SMALL_PINPOINTS
    ),
    "clip": form(CLIP),
    "clip, crop beyond the edge": form(CLIP, shortest_edge=100, crop_size=(151, 137)),
    "clip, no resize": form(CLIP, do_resize=False, crop_size=(90, 91)),
    "clip, no crop": form(CLIP, shortest_edge=64, do_center_crop=False),
    "clip, neither rescaled nor normalised": form(CLIP, shortest_edge=64, do_rescale=False, do_normalize=False),
    "clip, not normalised": form(CLIP, shortest_edge=64, do_normalize=False, rescale_factor=1 / 127.5),
    "clip, not rescaled": form(
        CLIP, shortest_edge=64, do_rescale=False, image_mean=(127.0,) * 3, image_std=(60.0,) * 3
    ),
    "llava": form(LlavaImageProcessorPil),
    "llava, padded": form(LlavaImageProcessorPil, pad_to_square=True, shortest_edge=120, crop_size=(120, 120)),
    "llava, padded, no resize": form(LlavaImageProcessorPil, pad_to_square=True, do_resize=False, do_center_crop=False),
    "siglip": form(SiglipImageProcessorPil, size=(384, 384), image_mean=(0.5,) * 3, image_std=(0.5,) * 3),
    "siglip, oblong": form(SiglipImageProcessorPil, size=(40, 70), resample=1),
    **{f"clip, resample {number}": form(CLIP, shortest_edge=64, resample=number) for number in range(6)},
}
