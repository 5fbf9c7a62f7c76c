"""Grids and token counts equal transformers' on any size, and the counts of the published checkpoints."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from transformers.image_processing_utils import get_patch_output_size, select_best_resolution
from transformers.image_transforms import get_resize_output_image_size
from transformers.models.llava_next.modeling_llava_next import (
    get_anyres_image_grid_shape,
    image_size_to_num_patches,
    unpad_image,
)
from transformers.models.llava_next.processing_llava_next import LlavaNextProcessor

from llavacli_core.config import ImageConfig, ModelConfig, PoolingConfig
from llavacli_core.geometry import (
    Grid,
    best_resolution,
    fit,
    grid_for,
    image_tokens,
    shortest_edge,
    unpadded,
    video_tokens,
)

Pinpoints = tuple[tuple[int, int], ...]

DEFAULT = ((336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008))
SMALL = ((64, 128), (128, 64), (128, 128), (64, 192), (192, 64))
EDGE = st.one_of(st.integers(1, 2000), st.integers(1, 30), st.sampled_from([1, 9999, 10000, 65535]))
PINPOINTS = st.sampled_from([(DEFAULT, 336, 14), (SMALL, 64, 8), (((384, 768), (1152, 384), (768, 768)), 384, 14)])


def images(pinpoints: Pinpoints | None, side: int) -> ImageConfig:
    return ImageConfig(
        do_resize=True,
        shortest_edge=side,
        size=None,
        resample=3,
        do_center_crop=True,
        crop_size=(side, side),
        do_rescale=True,
        rescale_factor=1 / 255,
        do_normalize=True,
        image_mean=(0.5,) * 3,
        image_std=(0.5,) * 3,
        pad_to_square=False,
        image_grid_pinpoints=pinpoints,
    )


def model(patches: int = 24, *, newline: bool = True, clip: bool = True, strategy: str = "default") -> ModelConfig:
    """As much of a network's config as decides how many tokens a picture takes."""
    vision = SimpleNamespace(side=patches, class_token=clip)
    connector = SimpleNamespace(vision_feature_select_strategy=strategy, image_newline=newline)
    return cast(ModelConfig, SimpleNamespace(vision=vision, connector=connector))


def counted_by_the_reference(width: int, height: int, pinpoints: Pinpoints, side: int, patch: int) -> int:
    """Tokens that transformers' processor puts in the prompt (default strategy, CLIP)."""
    processor = LlavaNextProcessor.__new__(LlavaNextProcessor)
    processor.patch_size, processor.num_additional_image_tokens = patch, 1
    processor.image_processor = SimpleNamespace(image_grid_pinpoints=[list(pinpoint) for pinpoint in pinpoints])
    return processor._get_number_of_features(height, width, side, side) - 1


@pytest.mark.parity
@given(width=EDGE, height=EDGE, case=PINPOINTS)
@settings(max_examples=300, deadline=None)
@example(width=10000, height=1, case=(DEFAULT, 336, 14))
@example(width=1, height=10000, case=(DEFAULT, 336, 14))
def test_grids_equal_the_references(width, height, case):
    pinpoints, side, _ = case
    listed = [list(pinpoint) for pinpoint in pinpoints]
    target = select_best_resolution((height, width), listed)
    assert best_resolution(width, height, pinpoints) == target
    grid = grid_for(width, height, images(pinpoints, side))
    assert (grid.rows, grid.cols) == get_anyres_image_grid_shape((height, width), listed, side)
    assert grid.tiles == image_size_to_num_patches((height, width), listed, side)
    assert (grid.width, grid.height) == (width, height)


@pytest.mark.parity
@given(width=EDGE, height=EDGE, target=st.tuples(EDGE, EDGE), edge=st.integers(1, 700))
@settings(max_examples=300, deadline=None)
@example(width=4000, height=3000, target=(672, 672), edge=336)
def test_sizes_equal_the_references(width, height, target, edge):
    shaped = np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (3, height, width), (0, 0, 0))
    assert fit(width, height, target) == get_patch_output_size(shaped, target, "channels_first")
    expected = get_resize_output_image_size(shaped, edge, default_to_square=False, input_data_format="channels_first")
    assert shortest_edge(width, height, edge) == expected


@pytest.mark.parity
@given(width=EDGE, height=EDGE, case=PINPOINTS)
@settings(max_examples=300, deadline=None)
@example(width=10000, height=1, case=(DEFAULT, 336, 14))
def test_token_counts_equal_the_references(width, height, case):
    pinpoints, side, patch = case
    grid = grid_for(width, height, images(pinpoints, side))
    assert image_tokens(grid, model(side // patch)) == counted_by_the_reference(width, height, pinpoints, side, patch)


@pytest.mark.parity
@given(width=EDGE, height=EDGE, rows=st.integers(1, 3), cols=st.integers(1, 3), side=st.integers(1, 32))
@settings(max_examples=300, deadline=None)
def test_unpadding_equals_the_references(width, height, rows, cols, side):
    features = torch.empty(1).expand(1, rows * side, cols * side)
    kept = unpad_image(features, (height, width)).shape[1:]
    assert unpadded(Grid(rows, cols, width, height), side) == tuple(kept)


@given(width=EDGE, height=EDGE, most=st.integers(1, 6))
def test_max_tiles_takes_the_best_of_what_it_leaves(width, height, most):
    config = images(DEFAULT, 336)
    grid, free = grid_for(width, height, config, most), grid_for(width, height, config)
    assert grid.tiles <= most
    if free.tiles <= most:
        assert grid == free
    if most < 3:  # the smallest pinpoints make two tiles and the overview
        assert (grid.rows, grid.cols) == (0, 0)


# As (height, width), the order in which the reference's documents state them.
@pytest.mark.parametrize(
    ("height", "width", "tokens"),
    [
        (336, 336, 1176),
        (480, 640, 2340),
        (640, 480, 2352),
        (427, 640, 2144),
        (808, 1100, 2340),
        (899, 1024, 2634),
        (1000, 300, 2232),
        (300, 1000, 2182),
        (100, 2000, 868),
        # the product is a hair below a whole number: flooring it loses a row or a column
        (88, 55, 984),
        (220, 1056, 1744),
        (352, 748, 1848),
        (861, 328, 2176),
    ],
)
def test_counts_of_the_published_checkpoints(height, width, tokens):
    assert image_tokens(grid_for(width, height, images(DEFAULT, 336)), model()) == tokens


def test_the_count_of_the_references_own_test():
    assert image_tokens(grid_for(316, 503, images(((672, 336),), 336)), model()) == 1526


def test_one_tile_families():
    whole = grid_for(640, 480, images(None, 336))
    assert whole == Grid(0, 0, 640, 480)
    assert image_tokens(whole, model(newline=False)) == 576
    assert image_tokens(whole, model(newline=False, strategy="full")) == 577
    assert image_tokens(whole, model(27, newline=False, clip=False, strategy="full")) == 729
    assert image_tokens(grid_for(640, 480, images(DEFAULT, 336), 1), model()) == 576 + 1  # the overview's own newline


@pytest.mark.parametrize(
    ("patches", "stride", "frames", "tokens"), [(24, 2, 1, 144), (24, 2, 32, 4608), (27, 2, 8, 8 * 169), (24, 5, 3, 48)]
)
def test_video_tokens(patches, stride, frames, tokens):
    """As many as pooling leaves: windows that are not full count for nothing."""
    connector = SimpleNamespace(pooling=PoolingConfig(mode="average", stride=stride))
    config = cast(ModelConfig, SimpleNamespace(vision=SimpleNamespace(side=patches), connector=connector))
    pooled = torch.nn.functional.avg_pool2d(torch.empty(1, 1, patches, patches), stride)
    assert video_tokens(frames, config) == tokens == frames * pooled.numel()
