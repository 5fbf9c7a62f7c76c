"""Scenes and their drawings: from a seed alone, inside the canvas, and the truth they claim is in the pixels."""

from __future__ import annotations

import colorsys
import itertools

import numpy as np
import pytest

from demo.drawing import draw
from demo.palette import COLOURS, NAMED, RANGES, paint
from demo.scenes import KINDS, Scene, canvas, scene

SEEDS = range(60)


def drawn_scene(seed: int) -> Scene:
    rng = np.random.default_rng(seed)
    return scene(*canvas(rng), rng)


def test_the_same_seed_gives_the_same_pixels() -> None:
    first, again, other = (np.asarray(draw(drawn_scene(seed))) for seed in (7, 7, 8))
    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


@pytest.mark.parametrize("seed", SEEDS)
def test_shapes_lie_inside_the_canvas_and_apart(seed: int) -> None:
    drawn = drawn_scene(seed)
    for shape in drawn.shapes:
        assert (shape.outline >= 0).all()
        assert (shape.outline <= (drawn.width, drawn.height)).all()
    for one, other in itertools.combinations(drawn.shapes, 2):
        reach = sum(np.hypot(*(each.outline - (each.x, each.y)).T).max() for each in (one, other))
        boxes_apart = np.maximum(one.outline.min(0) - other.outline.max(0), other.outline.min(0) - one.outline.max(0))
        assert np.hypot(one.x - other.x, one.y - other.y) >= reach or boxes_apart.max() >= 0


@pytest.mark.parametrize("seed", SEEDS)
def test_each_shape_shows_its_paint_at_its_centre(seed: int) -> None:
    drawn = drawn_scene(seed)
    pixels = np.asarray(draw(drawn)).astype(int)
    for shape in drawn.shapes:
        around = pixels[int(shape.y) - 1 : int(shape.y) + 2, int(shape.x) - 1 : int(shape.x) + 2]
        assert np.abs(np.median(around, (0, 1)) - shape.rgb).max() < 40  # noise and JPEG artefacts move it that far


@pytest.mark.parametrize("seed", SEEDS)
def test_small_and_large_differ_in_the_drawing(seed: int) -> None:
    drawn = drawn_scene(seed)
    for shape in drawn.shapes:
        across = np.ptp(shape.outline, axis=0).max() / min(drawn.width, drawn.height)
        assert (0.14 < across < 0.34) if shape.size == "small" else (0.24 < across < 0.6)


def test_scenes_vary_as_promised() -> None:
    many = [drawn_scene(seed) for seed in range(400)]
    assert {len(each.shapes) for each in many} == {0, 1, 2, 3, 4}
    assert {shape.kind for each in many for shape in each.shapes} == set(KINDS)
    assert {shape.colour for each in many for shape in each.shapes} == set(COLOURS)
    assert {each.background.word for each in many} == {"white", "grey", "black", "gradient"}
    assert {each.place(shape) for each in many for shape in each.shapes} == {
        "at the top left", "at the top", "at the top right", "on the left", "in the centre", "on the right",
        "at the bottom left", "at the bottom", "at the bottom right",
    }  # fmt: skip
    aspects = [each.width / each.height for each in many]
    assert min(aspects) < 0.4
    assert max(aspects) > 2.5
    assert all(0.32 < aspect < 3.1 for aspect in aspects)


def test_shapes_are_told_in_order() -> None:
    for seed in range(100):
        shapes = drawn_scene(seed).shapes
        assert list(shapes) == sorted(shapes, key=lambda shape: (KINDS.index(shape.kind), shape.x))


@pytest.mark.parametrize("colour", COLOURS)
def test_named_colours_lie_in_their_range_or_close_by(colour: str) -> None:
    for rgb in NAMED[colour]:
        hue, saturation, value = colorsys.rgb_to_hsv(*(level / 255 for level in rgb))
        assert any(
            min((hue * 360 - edge) % 360 for edge in (box.hue[0] - 8,)) <= box.hue[1] - box.hue[0] + 16
            and box.saturation[0] - 0.15 <= saturation
            and box.value[0] - 0.15 <= value
            for box in RANGES[colour]
        )


def test_no_paint_answers_to_two_names() -> None:
    rng = np.random.default_rng(0)
    samples = {colour: np.array([paint(colour, rng) for _ in range(300)], float) for colour in COLOURS}
    for one, other in itertools.combinations(COLOURS, 2):
        nearest = np.abs(samples[one][:, None] - samples[other][None]).max(-1).min()
        assert nearest >= 9, (one, other)
