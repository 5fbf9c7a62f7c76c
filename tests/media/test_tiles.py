"""Tiles equal the reference processors', for every form of config and any size; grids obey their cap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from llavacli_core.errors import BrokenModel, InputTooLarge
from llavacli_core.media.tiles import prepare
from tests.media.files import noise
from tests.media.forms import FORMS, NEXT, SMALL_PINPOINTS, Form, form

SIZES = ((1, 1), (57, 56), (31, 977), (977, 31), (335, 1009), (336, 336), (640, 480), (337, 335), (672, 671), (2, 300))
EDGES = st.one_of(st.integers(1, 40), st.integers(1, 700))


def named(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def check(picture: Image.Image, expected: Form) -> None:
    ours, theirs = prepare(picture, expected.config).pixels, expected.reference(picture)
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 1e-6


@pytest.mark.parity
@pytest.mark.parametrize("size", SIZES, ids=named)
@pytest.mark.parametrize("name", FORMS)
def test_tiles_equal_the_references(name, size):
    check(noise(*size), FORMS[name])


@pytest.mark.parity
@pytest.mark.parametrize("size", [(10000, 1), (1, 10000), (9000, 7)], ids=named)
@pytest.mark.parametrize("name", ["next", "next, tiles larger than the edge", "siglip", "clip, no resize"])
def test_tiles_of_strips_equal_the_references(name, size):
    check(noise(*size), FORMS[name])


@pytest.mark.parity
@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(sorted(FORMS)), width=EDGES, height=EDGES)
def test_tiles_of_any_size_equal_the_references(name, width, height):
    check(noise(width, height), FORMS[name])


@pytest.mark.parametrize("size", [(10000, 1), (1, 10000), (1, 65000), (50000, 3)], ids=named)
def test_a_strip_is_cropped_without_being_resized_whole(size):
    """The reference makes gigabytes of it; of a strip of one grey, every crop is that grey."""
    picture = Image.new("RGB", size, (90, 91, 92))
    pixels = prepare(picture, FORMS["clip"].config).pixels
    assert pixels.shape == (1, 3, 336, 336)
    assert np.array_equal(pixels, prepare(Image.new("RGB", (336, 336), (90, 91, 92)), FORMS["clip"].config).pixels)


@pytest.mark.parametrize("size", [(60000, 2), (2, 9000)], ids=named)
def test_a_strip_is_padded_without_the_square_being_drawn(size):
    pixels = prepare(Image.new("RGB", size, "white"), FORMS["llava, padded"].config).pixels
    assert pixels.shape == (1, 3, 120, 120)


def test_what_cannot_fit_in_memory_is_refused():
    with pytest.raises(InputTooLarge, match="90000 x 1 pixels"):
        prepare(Image.new("RGB", (90000, 1)), FORMS["clip, no crop"].config)
    with pytest.raises(InputTooLarge, match="90000 x 1 pixels"):
        prepare(Image.new("RGB", (90000, 1)), FORMS["llava, padded, no resize"].config)


@given(width=EDGES, height=EDGES, most=st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_max_tiles_caps_the_grid(width, height, most):
    tiles = prepare(noise(width, height), FORMS["next, demo"].config, most)
    assert len(tiles.pixels) == tiles.grid.tiles <= most
    assert (tiles.grid.width, tiles.grid.height) == (width, height)


def test_one_tile_alone_is_the_overview():
    picture, config = noise(200, 100), FORMS["next, demo"].config
    assert np.array_equal(prepare(picture, config, 1).pixels, prepare(picture, config).pixels[:1])


def test_the_picture_is_left_as_it_was():
    picture = noise(90, 60)
    before = picture.tobytes()
    for each in FORMS.values():
        prepare(picture, each.config)
    assert picture.tobytes() == before


def test_configs_that_contradict_themselves():
    uneven = form(NEXT, shortest_edge=64, crop_size=(48, 48), image_grid_pinpoints=((48, 96),), do_center_crop=False)
    with pytest.raises(BrokenModel, match="different sizes"):
        prepare(noise(60, 40), replace(uneven.config, do_resize=False))
    with pytest.raises(BrokenModel, match="multiples of the 60 pixels"):
        prepare(noise(60, 40), form(NEXT, crop_size=(60, 60), image_grid_pinpoints=SMALL_PINPOINTS).config)
