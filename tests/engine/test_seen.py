"""What the model gets can be looked at: the very levels that were normalised."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pictures

import llavacli_core as core
from llavacli_core.engine.seen import pictures_of
from llavacli_core.media.tiles import prepare

NOISE = np.random.default_rng(0).integers(0, 256, (70, 130, 3), np.uint8)
PICTURE = Pictures.fromarray(NOISE)


def test_a_cut_picture_comes_as_its_overview_and_tiles(engine):
    processor = engine("next-vicuna").processor
    seen = core.tiles_as_seen(processor, core.Image(PICTURE))
    prepared = processor.opener.image(core.Image(PICTURE))
    assert len(seen.pictures) == prepared.seen.tiles == 1 + seen.rows * seen.cols > 2
    assert (seen.rows, seen.cols) == (prepared.tiles.grid.rows, prepared.tiles.grid.cols)
    config = processor.description.images
    again = prepare(seen.pictures[1], replace(config, image_grid_pinpoints=None))
    np.testing.assert_array_equal(again.pixels[0], prepared.tiles.pixels[1])  # as nothing is left to resize


def test_marks_and_max_tiles_are_seen(engine):
    processor = engine("next-vicuna").processor
    image = core.Image(
        Pictures.new("RGB", (130, 70)),
        max_tiles=1,
        marks=[core.Mark.parse("mask:0%,0%,100%,0%,100%,100%,0%,100%:red:alpha=1")],
    )
    seen = core.tiles_as_seen(processor, image)
    assert (len(seen.pictures), seen.rows, seen.cols) == (1, 0, 0)
    assert seen.pictures[0].getpixel((5, 5)) == (255, 0, 0)


def test_a_clip_comes_as_its_frames(engine):
    processor = engine("video").processor
    frames = np.stack([np.full((40, 40, 3), level, np.uint8) for level in (0, 90, 255)])
    seen = core.tiles_as_seen(processor, core.Video(frames, frames=3))
    assert [picture.getpixel((3, 3)) for picture in seen.pictures] == [(0,) * 3, (90,) * 3, (255,) * 3]


def test_every_level_comes_back(engine):
    levels = Pictures.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2))
    config = replace(
        engine("next-vicuna").processor.description.images,
        do_resize=False,
        do_center_crop=False,
        pad_to_square=False,
        image_grid_pinpoints=None,
    )
    for changed in (config, replace(config, do_normalize=False), replace(config, do_rescale=False)):
        (seen,) = pictures_of(prepare(levels, changed).pixels, changed)
        np.testing.assert_array_equal(np.asarray(seen), np.asarray(levels))


def test_what_cannot_be_read_is_an_input_error(engine, tmp_path):
    with pytest.raises(core.errors.InputError):
        core.tiles_as_seen(engine("next-vicuna").processor, core.Image(tmp_path / "no.png"))
    with pytest.raises(core.errors.InputError):
        core.tiles_as_seen(engine("next-vicuna").processor, core.Video(tmp_path / "no.mp4"))
