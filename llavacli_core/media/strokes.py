"""A line of some width with round ends and joints: its course, and the polygons it is drawn with, near a window."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]  # [N, 2], x and y
Box = tuple[float, float, float, float]  # left, top, right, bottom

CLOSE = 0.01  # pixels: nearer points are one to a spline, whose knots could not be told apart
MAX_STEPS = 64  # between two points of a spline
TOGETHER = 256  # pieces worked on at a time


class Stroke(NamedTuple):
    """All that is within `radius` of the line through `points` [N, 2]."""

    points: Points
    radius: float

    @property
    def bounds(self) -> Box:
        """The box around it."""
        left, top = (self.points.min(axis=0) - self.radius).tolist()
        right, bottom = (self.points.max(axis=0) + self.radius).tolist()
        return left, top, right, bottom

    def near(self, window: Box) -> Iterator[tuple[Points, Points]]:
        """What may reach into the window, some at a time: strips [P, 4 corners, 2], and boxes around discs [Q, 2, 2].

        A strip is what lies beside a piece of the line; a disc makes a round end or joint.
        """
        pieces = np.stack([self.points[:-1], self.points[1:]], axis=1)  # [N - 1, 2 ends, 2]
        low, high = pieces.min(axis=1) - self.radius, pieces.max(axis=1) + self.radius
        near = np.flatnonzero(((low <= window[2:]) & (high >= window[:2])).all(axis=1))
        for first in range(0, len(near), TOGETHER):
            some = near[first : first + TOGETHER]
            alone = some[np.diff(some, prepend=-2) != 1]  # those that do not go on from the piece before
            joints = np.concatenate([pieces[alone, 0], pieces[some, 1]])
            yield _strips(pieces[some], self.radius), np.stack([joints - self.radius, joints + self.radius], axis=1)


def _strips(pieces: Points, radius: float) -> Points:
    """What lies within `radius` beside straight lines [P, 2 ends, 2]: rectangles [P, 4 corners, 2]."""
    along = pieces[:, 1] - pieces[:, 0]
    length = np.hypot(*along.T)[:, None]
    aside = radius * along[:, ::-1] * (-1, 1) / np.where(length == 0, 1, length)
    start, end = pieces[:, 0], pieces[:, 1]
    return np.stack([start + aside, end + aside, end - aside, start - aside], axis=1)


def scribble(points: Sequence[tuple[float, float]], radius: float) -> Stroke:
    """A stroke along the centripetal Catmull-Rom spline through the points, which has no cusps (Yuksel 2011).

    It is drawn in steps of a few pixels: where the curve is no tighter than the stroke is broad, the chords are nowhere
    more than half a pixel off, `step ** 2 / (8 * radius)`.
    """
    return Stroke(_smooth(points, max(4, 2 * math.sqrt(radius))), radius)


def _smooth(points: Sequence[tuple[float, float]], step: float) -> Points:
    """Points of the spline, `step` pixels apart; it sets out and ends as if the line were mirrored there."""
    apart = [points[0]]
    for point in points:
        if math.dist(point, apart[-1]) > CLOSE:
            apart.append(point)
    line = np.array(apart)
    if len(line) < 2:
        return np.repeat(line, 2, axis=0)
    controls = np.concatenate([[2 * line[0] - line[1]], line, [2 * line[-1] - line[-2]]])
    lengths = np.hypot(*np.diff(controls, axis=0).T)
    steps = np.clip(np.ceil(lengths[1:-1] / step), 1, MAX_STEPS).astype(int)
    span = np.repeat(np.arange(len(steps)), steps)  # which span of the spline each drawn point is on
    share = (np.arange(len(span)) - np.repeat(np.cumsum(steps) - steps, steps) + 1) / steps[span]
    gaps = np.sqrt(lengths)[span[:, None] + np.arange(3)]  # [M, 3] between the knots of a span's four controls
    return np.concatenate([line[:1], _on_spline(controls[span[:, None] + np.arange(4)], gaps, share)])


def _on_spline(controls: Points, gaps: Points, share: Points) -> Points:
    """Points of splines [M, 4 controls, 2], each at a share of the way between its second and its third knot.

    Barry and Goldman 1988: three rounds of interpolation.
    """
    knots = np.concatenate([np.zeros((len(gaps), 1)), np.cumsum(gaps, axis=1)], axis=1)
    here = knots[:, 1] + gaps[:, 1] * share
    for low, high in (([0, 1, 2], [1, 2, 3]), ([0, 1], [2, 3]), ([1], [2])):
        way = (here[:, None] - knots[:, low]) / (knots[:, high] - knots[:, low])
        controls = controls[:, :-1] + np.diff(controls, axis=1) * way[..., None]
    return controls[:, 0]
