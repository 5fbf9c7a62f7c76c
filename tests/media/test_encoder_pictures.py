"""Captioners' pictures equal the reference processors', from preprocessor files of every published age."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers.models.beit.image_processing_pil_beit import BeitImageProcessorPil
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from llavacli_core.errors import BrokenModel, UnsupportedModel
from llavacli_core.families.preprocessor import read_encoder_images
from llavacli_core.media.tiles import prepare
from tests.media.files import noise

pytestmark = pytest.mark.parity

CLASSES = {"vit": ViTImageProcessorPil, "deit": DeiTImageProcessorPil, "beit": BeitImageProcessorPil}
HALF = [0.5, 0.5, 0.5]
LEGACY = {"do_normalize": True, "do_resize": True, "image_mean": HALF, "image_std": HALF}
SIZE = {"height": 48, "width": 48}

# The encoder's model_type, and a preprocessor_config.json.
FILES: dict[str, tuple[str, dict[str, Any]]] = {
    "vit, of 2021": ("vit", LEGACY | {"feature_extractor_type": "ViTFeatureExtractor", "resample": 2, "size": 64}),
    "vit, saved again": (
        "vit",
        LEGACY
        | {
            "do_rescale": True,
            "feature_extractor_type": "ViTFeatureExtractor",
            "image_processor_type": "ViTFeatureExtractor",
            "resample": 2,
            "rescale_factor": 0.00392156862745098,
            "size": SIZE,
        },
    ),
    "trocr, of 2022": (
        "deit",
        LEGACY
        | {
            "crop_size": 44,
            "do_center_crop": False,
            "feature_extractor_type": "DeiTFeatureExtractor",
            "processor_class": "TrOCRProcessor",
            "resample": 3,
            "size": 48,
        },
    ),
    "beit, of 2021": (
        "beit",
        LEGACY
        | {
            "crop_size": 40,
            "do_center_crop": True,
            "feature_extractor_type": "BeitFeatureExtractor",
            "reduce_labels": False,
            "resample": 2,
            "size": 64,
        },
    ),
    "swin": ("swin", {"feature_extractor_type": "ViTFeatureExtractor", "resample": 3, "size": 56}),
    "vit, all by default": ("vit", {"image_processor_type": "ViTImageProcessor"}),
    "deit, all by default": ("deit", {"image_processor_type": "DeiTImageProcessorFast"}),
    "beit, all by default": ("beit", {"image_processor_type": "BeitImageProcessor"}),
    "vit, no class named": ("vit", {"size": 60}),
    "deit, no class named": ("deit", {"size": SIZE, "crop_size": {"height": 40, "width": 44}}),
    "beit, no class named": ("beit", {"size": 60}),
    "vit, oblong": ("vit", {"size": {"height": 40, "width": 70}}),
    "deit, oblong pairs": ("deit", {"size": [40, 70], "crop_size": [50, 30]}),
    "vit, means of its own": ("vit", {"size": 50, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.25]}),
    "vit, not normalised": ("vit", {"size": 50, "do_normalize": False, "rescale_factor": 1 / 127.5}),
    "vit, not rescaled": ("vit", {"size": 50, "do_rescale": False, "image_mean": [127.0] * 3, "image_std": [60.0] * 3}),
}
SIZES = ((1, 1), (31, 977), (640, 480), (337, 335), (48, 48), (3, 2))


def check(picture: Image.Image, name: str) -> None:
    encoder, file = FILES[name]
    values = {key: value for key, value in file.items() if not key.endswith(("_type", "_class"))}
    made = CLASSES.get(encoder, ViTImageProcessorPil).from_dict(values)
    theirs = np.asarray(made(picture, return_tensors="np")["pixel_values"])
    ours = prepare(picture, read_encoder_images(file, encoder)).pixels
    assert ours.dtype == theirs.dtype == np.float32
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", FILES)
def test_pixels_equal_the_references(name, size):
    check(noise(*size), name)


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(sorted(FILES)), width=st.integers(1, 400), height=st.integers(1, 400))
def test_pixels_of_any_size_equal_the_references(name, width, height):
    check(noise(width, height), name)


@pytest.mark.parametrize("encoder", CLASSES)
def test_what_the_reference_writes_now(encoder, tmp_path: Path):
    made = CLASSES[encoder](size={"height": 40, "width": 52})
    made.save_pretrained(tmp_path)
    file = json.loads((tmp_path / "preprocessor_config.json").read_text())
    picture = noise(90, 61)
    ours = prepare(picture, read_encoder_images(file, encoder)).pixels
    assert np.array_equal(ours, made(picture, return_tensors="np")["pixel_values"])


@pytest.mark.parametrize("value", [0, [], [1, 2, 3], "224", {"height": 3}, {"longest_edge": 9}, True])
def test_sizes_that_are_none(value):
    with pytest.raises(BrokenModel, match="size"):
        read_encoder_images({"size": value}, "vit")


def test_a_class_that_is_not_known():
    with pytest.raises(UnsupportedModel, match="'DonutImageProcessor' is not supported"):
        read_encoder_images({"image_processor_type": "DonutImageProcessor"}, "swin")
