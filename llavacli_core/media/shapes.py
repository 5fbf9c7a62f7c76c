"""What a mark covers: areas in pixels of the picture, each a rectangle, a polygon or a stroke.

The relative defaults are among the sizes that ViP-LLaVA was trained with (its published `visual_prompt_generator.py`):
in a picture of 336 pixels, lines of 1 to 8 (scribbles to 12; 3 where all are alike), and points of radius 5 to 20.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from llavacli_core.marks import Length, Mark, Unit
from llavacli_core.media.strokes import Box, Stroke, scribble

ANCHOR = 336
LINE_WIDTH = 3 / ANCHOR  # of the picture's longer edge
SCRIBBLE_WIDTH = 6 / ANCHOR
POINT_RADIUS = 8 / ANCHOR

Point = tuple[float, float]


class Rectangle(NamedTuple):
    """Whole pixels: `right` and `bottom` are no part of it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def bounds(self) -> Box:
        """The box around it: itself."""
        return self


class Polygon(NamedTuple):
    """The corners of a filled polygon; a hole takes away what the areas before it cover."""

    points: list[Point]
    is_hole: bool = False

    @property
    def bounds(self) -> Box:
        """The box around it."""
        xs, ys = zip(*self.points, strict=True)
        return min(xs), min(ys), max(xs), max(ys)


Area = Rectangle | Polygon | Stroke


def areas(mark: Mark, width: int, height: int) -> list[Area]:
    """What a mark covers of a picture of `width` x `height` pixels, and beyond its edges."""
    points = _points(mark, width, height)
    longer, stroke = max(width, height), _given(mark.width, width, height)
    match mark.shape:
        case "box":
            return _box(points, stroke or LINE_WIDTH * longer, width, height)
        case "ellipse":
            (x1, y1), (x2, y2) = points
            centre, radii = ((x1 + x2) / 2, (y1 + y2) / 2), (abs(x2 - x1) / 2, abs(y2 - y1) / 2)
            return _ring(centre, radii, stroke or max(LINE_WIDTH * longer, 1))
        case "circle":
            radius = _pixels(mark.coordinates[2], mark.unit, width, height)
            return _ring(points[0], (radius, radius), stroke or max(LINE_WIDTH * longer, 1))
        case "point":
            radius = _given(mark.radius, width, height) or max(POINT_RADIUS * longer, 2)
            return [Polygon(_ellipse(points[0], radius, radius))]
        case "arrow":
            return [Polygon(_arrow(points[0], points[1], stroke or max(LINE_WIDTH * longer, 1)))]
        case "polygon":
            return [Stroke(np.array([*points, points[0]]), (stroke or max(LINE_WIDTH * longer, 1)) / 2)]
        case "scribble":
            return [scribble(points, (stroke or max(SCRIBBLE_WIDTH * longer, 1)) / 2)]
        case "mask":
            return [Polygon(points)]


def _points(mark: Mark, width: int, height: int) -> list[Point]:
    """The mark's points in pixels; of a circle its centre."""
    share = {"pixels": (1.0, 1.0), "percent": (width / 100, height / 100), "fraction": (width, height)}[mark.unit]
    numbers = mark.coordinates
    return [(x * share[0], y * share[1]) for x, y in zip(numbers[::2], numbers[1::2], strict=False)]


def _given(length: Length | None, width: int, height: int) -> float:
    """A length in pixels; 0 for one that is not given."""
    return 0.0 if length is None else _pixels(length.value, length.unit, width, height)


def _pixels(value: float, unit: Unit, width: int, height: int) -> float:
    """A length in pixels, of which percent and fractions are of the shorter edge."""
    shorter = min(width, height)
    return value * {"pixels": 1.0, "percent": shorter / 100, "fraction": shorter}[unit]


def _box(corners: list[Point], stroke: float, width: int, height: int) -> list[Area]:
    """A frame inside the box, on whole pixels so that it is crisp; what of the box is off the picture is cut off."""
    (x1, x2), (y1, y2) = (sorted(axis) for axis in zip(*corners, strict=True))
    left, right = _edges(x1, x2, width)
    top, bottom = _edges(y1, y2, height)
    line = max(round(stroke), 1)
    if left >= right or top >= bottom:
        return []
    inner = Rectangle(left + line, top + line, right - line, bottom - line)
    if inner.left >= inner.right or inner.top >= inner.bottom:
        return [Rectangle(left, top, right, bottom)]
    return [
        Rectangle(left, top, right, inner.top),
        Rectangle(left, inner.bottom, right, bottom),
        Rectangle(left, inner.top, inner.left, inner.bottom),
        Rectangle(inner.right, inner.top, right, inner.bottom),
    ]


def _edges(low: float, high: float, size: int) -> tuple[int, int]:
    """Two edges on whole pixels, at least one pixel apart, within the picture; none remains of what is outside."""
    first = math.floor(low + 0.5)
    return max(first, 0), min(max(math.floor(high + 0.5), first + 1), size)


def _ring(centre: Point, radii: Point, stroke: float) -> list[Area]:
    """The outline of an ellipse, inside it."""
    outer = Polygon(_ellipse(centre, *radii))
    if min(radii) <= stroke:
        return [outer]
    return [outer, Polygon(_ellipse(centre, radii[0] - stroke, radii[1] - stroke), is_hole=True)]


def _ellipse(centre: Point, across: float, down: float) -> list[Point]:
    """An ellipse as a polygon, nowhere more than a twentieth of a pixel off (of any that fits a picture)."""
    count = min(max(math.ceil(10 * math.sqrt(max(across, down))), 24), 2000)
    turns = (2 * math.pi * index / count for index in range(count))
    return [(centre[0] + across * math.cos(turn), centre[1] + down * math.sin(turn)) for turn in turns]


def _arrow(tail: Point, tip: Point, stroke: float) -> list[Point]:
    """A shaft, and a head that ends at the tip; a short arrow is all head."""
    length = math.dist(tail, tip)
    head = min(5 * stroke, length)
    along = (tip[0] - tail[0]) / length, (tip[1] - tail[1]) / length

    def at(distance: float, aside: float) -> Point:
        """The point so far from the tail, and so far to the side."""
        return (
            tail[0] + distance * along[0] - aside * along[1],
            tail[1] + distance * along[1] + aside * along[0],
        )

    half, wing, neck = min(stroke, head / 5) / 2, head / 2, length - head
    return [at(0, -half), at(neck, -half), at(neck, -wing), tip, at(neck, wing), at(neck, half), at(0, half)]
