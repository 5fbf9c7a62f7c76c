"""What a scene holds: one to four shapes, their sizes, colours and places, on a background. Drawn elsewhere."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from demo.palette import COLOURS, Background, Rgb, background, paint

Array = NDArray[Any]

KINDS = ("circle", "square", "triangle", "star")
SIZES = ("small", "large")
RADIUS = {"small": 0.11, "large": 0.20}  # half of the shape's width, as a share of the canvas's shorter side
_ROWS, _COLUMNS = ("top", "middle", "bottom"), ("left", "middle", "right")


@dataclass(frozen=True)
class Shape:
    """One shape: what it is called, its centre in pixels, its paint and its outline, [points, 2] in pixels."""

    kind: str
    colour: str
    size: str
    x: float
    y: float
    rgb: Rgb
    outline: Array = field(repr=False, compare=False)


@dataclass(frozen=True)
class Finish:
    """What happens to a drawing after its shapes: the traces that cameras, encoders and other programs leave."""

    supersample: int  # 1: jagged edges
    blur: float  # radius in pixels, 0: none
    noise: float  # standard deviation in levels, 0: none
    jpeg: int | None  # quality
    chroma: int  # JPEG subsampling: 0 keeps the chroma whole, 2 halves it both ways
    clutter: str | None  # scenes without shapes: None, "lines" or "clouds"
    seed: int


@dataclass(frozen=True)
class Scene:
    """A picture's whole truth; shapes ordered by kind, and left to right within one."""

    width: int
    height: int
    background: Background
    shapes: tuple[Shape, ...]
    finish: Finish

    def place(self, shape: Shape) -> str:
        """Where the shape's centre lies: one of nine places, thirds of each axis."""
        row, column = third(shape.y, self.height), third(shape.x, self.width)
        if row == column == 1:
            return "in the centre"
        if row == 1:
            return f"on the {_COLUMNS[column]}"
        return f"at the {_ROWS[row]}" + (f" {_COLUMNS[column]}" if column != 1 else "")


def third(position: float, length: float) -> int:
    """0, 1 or 2: the third of `length` that holds `position`."""
    return min(2, max(0, int(3 * position / length)))


def canvas(rng: Generator) -> tuple[int, int]:
    """A (width, height): squares and common formats often, any aspect from 1:3 to 3:1 at times."""
    low, high = (190, 480) if rng.random() < 0.06 else (56, 190)
    short = math.exp(rng.uniform(math.log(low), math.log(high)))
    draw = rng.random()
    if draw < 0.33:
        aspect = 1.0
    elif draw < 0.52:
        aspect = 4 / 3
    elif draw < 0.70:
        aspect = 2.0
    else:
        aspect = math.exp(rng.uniform(0, math.log(3)))
    sides = round(short), round(short * aspect)
    return sides if rng.random() < 0.5 else (sides[1], sides[0])


def scene(width: int, height: int, rng: Generator) -> Scene:
    """A scene of that size; every choice comes from `rng`."""
    ground = background(rng)
    count = int(rng.choice(5, p=(0.04, 0.16, 0.22, 0.28, 0.30)))
    shapes: tuple[Shape, ...] | None = None
    large = 0.5
    while shapes is None:
        shapes = _arrange(width, height, _cast(count, large, rng), ground, rng)
        large *= 0.85  # a crowd of large shapes may not fit
    return Scene(width, height, ground, shapes, _finish(empty=count == 0, rng=rng))


@dataclass(frozen=True)
class _Role:
    kind: str
    colour: str
    size: str


def _cast(count: int, large: float, rng: Generator) -> list[_Role]:
    """Who appears: kinds and colours usually all different, repeated in one scene of four."""
    repeats = rng.random()
    kinds = rng.choice(4, count, replace=bool(repeats < 0.16))
    colours = rng.choice(8, count, replace=bool(0.08 < repeats < 0.26))
    sizes = (rng.random(count) < large).astype(int)
    order = np.argsort(kinds, kind="stable")
    return [_Role(KINDS[kinds[i]], COLOURS[colours[i]], SIZES[sizes[i]]) for i in order]


def _arrange(
    width: int, height: int, cast: list[_Role], ground: Background, rng: Generator
) -> tuple[Shape, ...] | None:
    """The cast at random places without overlap; None when somebody found none."""
    placed: list[Shape] = []
    gap = rng.uniform(0, 0.03) * min(width, height) + 1
    tilt = rng.uniform(-18, 18) if rng.random() < 0.8 else 0.0
    for role in cast:
        relative = outline(role.kind, role.size, tilt * rng.uniform(-1, 1), rng) * min(width, height)
        rgb = paint(role.colour, rng)
        for _ in range(40):
            shape = _try_place(width, height, role, relative, rgb, rng)
            if shape is not None and _fits(shape, placed, gap, width) and _stands_out(shape, ground, width, height):
                placed.append(shape)
                break
        else:
            return None
    return tuple(sorted(placed, key=lambda shape: (KINDS.index(shape.kind), shape.x)))


def _try_place(width: int, height: int, role: _Role, relative: Array, rgb: Rgb, rng: Generator) -> Shape | None:
    """The shape somewhere inside the canvas; None where its place would be a toss-up between two thirds."""
    low, high = -relative.min(0) + 1, np.array((width, height)) - relative.max(0) - 1
    x, y = (float(side) for side in low + rng.random(2) * (high - low))
    if any(min(abs(3 * side - 1), abs(3 * side - 2)) < 0.04 for side in (x / width, y / height)):
        return None
    return Shape(role.kind, role.colour, role.size, x, y, rgb, relative + np.array((x, y)))


def _fits(shape: Shape, placed: list[Shape], gap: float, width: int) -> bool:
    """Whether the shape keeps clear of the others, and of a tie in the order of its own kind."""
    for other in placed:
        if other.kind == shape.kind and abs(other.x - shape.x) < 0.06 * width:
            return False
        reach = sum(np.hypot(*(each.outline - (each.x, each.y)).T).max() for each in (shape, other))
        apart = np.maximum(shape.outline.min(0) - other.outline.max(0), other.outline.min(0) - shape.outline.max(0))
        if math.hypot(other.x - shape.x, other.y - shape.y) < reach + gap and apart.max() < gap:
            return False
    return True


def _stands_out(shape: Shape, ground: Background, width: int, height: int) -> bool:
    """Whether the paint differs visibly from the background around the shape."""
    around = ground.at(shape.outline[:, 0] / width, shape.outline[:, 1] / height)
    return bool(np.abs(around - np.array(shape.rgb)).max(-1).min() >= 45)


def outline(kind: str, size: str, tilt: float, rng: Generator) -> Array:
    """Points around (0, 0), [points, 2], in shares of the shorter side; `tilt` in degrees."""
    radius = RADIUS[size] * rng.uniform(0.82, 1.18)
    if kind == "circle":
        points = _ring(40, 0)
    elif kind == "square":
        points = _ring(4, 45) * _square_reach(size, radius, rng) * math.sqrt(2)
    elif kind == "triangle":
        points = _triangle(rng)
        tilt += rng.uniform(0, 360) if rng.random() < 0.06 else 0
    else:
        points = _ring(10, 0)
        points[1::2] *= rng.uniform(0.36, 0.5)
        tilt += rng.uniform(0, 360) if rng.random() < 0.12 else 0
    return points * radius @ _rotation(tilt if kind != "circle" else 0)


def _square_reach(size: str, radius: float, rng: Generator) -> float:
    """Half the side over the radius: from the square in the circle (.7) to the one around it (1).

    Between .11 and .125 of the shorter side a square could be called either size, so it is made smaller or larger.
    """
    reach = rng.uniform(0.69, 1.0)
    bound = 0.112 / radius if size == "small" else 0.125 / radius
    return min(reach, bound) if size == "small" else max(reach, min(bound, 1.0))


def _triangle(rng: Generator) -> Array:
    """Point up: equilateral in its circle, or isosceles in its box, centred as the box is."""
    if rng.random() < 0.5:
        return _ring(3, 0)
    half, height = rng.uniform(0.78, 1.0), rng.uniform(0.75, 1.0)
    return np.array(((0, -height), (half, height), (-half, height)))


def _ring(count: int, start: float) -> Array:
    """`count` points of the unit circle, clockwise from `start` degrees past the top: [count, 2]."""
    angles = np.radians(start - 90) + np.arange(count) * 2 * np.pi / count
    return np.stack((np.cos(angles), np.sin(angles)), -1)


def _rotation(degrees: float) -> Array:
    """The matrix that turns row vectors by `degrees`."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array(((cosine, sine), (-sine, cosine)))


def _finish(*, empty: bool, rng: Generator) -> Finish:
    """Random traces: jagged edges at times, blur, noise and JPEG artefacts."""
    return Finish(
        supersample=int(rng.choice((1, 2, 3, 4), p=(0.12, 0.33, 0.33, 0.22))),
        blur=rng.uniform(0.3, 0.8) if rng.random() < 0.12 else 0.0,
        noise=rng.uniform(1, 10) if rng.random() < 0.42 else 0.0,
        jpeg=int(rng.integers(50, 96)) if rng.random() < 0.5 else None,
        chroma=int(rng.choice((0, 2), p=(0.25, 0.75))),
        clutter=("lines", "clouds")[rng.integers(2)] if empty and rng.random() < 0.5 else None,
        seed=int(rng.integers(2**31)),
    )
