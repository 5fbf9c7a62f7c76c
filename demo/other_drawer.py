"""A second drawer, for the evaluation only: written from the demo's description, it shares nothing with scenes.py.

Other geometry (boxes and radii as graphics libraries have them), other palettes (named colours), another way to paint
(signed distances and coverage, no polygons), so that the checkpoint cannot pass by knowing its own drawer's habits.
"""

from __future__ import annotations

import io
import math
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[Any]

PALETTES = (
    {"red": "ff0000", "green": "008000", "blue": "0000ff", "yellow": "ffff00",
     "orange": "ffa500", "purple": "800080", "cyan": "00ffff", "pink": "ffc0cb"},
    {"red": "e6194b", "green": "3cb44b", "blue": "4363d8", "yellow": "ffe119",
     "orange": "f58231", "purple": "911eb4", "cyan": "42d4f4", "pink": "ff69b4"},
    {"red": "d62728", "green": "2ca02c", "blue": "1f5fd0", "yellow": "f5d800",
     "orange": "ff7f0e", "purple": "8e44ad", "cyan": "00bcd4", "pink": "ff8fb8"},
    {"red": "dc1e1e", "green": "00ff00", "blue": "1e5aff", "yellow": "ffd700",
     "orange": "ff8c00", "purple": "a020f0", "cyan": "00e5ee", "pink": "ffb6c1"},
)  # fmt: skip
GRADIENTS = (
    ((255, 255, 255), (150, 150, 150)),
    ((240, 240, 240), (60, 60, 60)),
    ((20, 20, 20), (130, 130, 130)),
    ((225, 235, 250), (150, 165, 190)),
    ((40, 40, 60), (120, 120, 150)),
)
SHAPES = ("circle", "square", "triangle", "star")
DIAMETERS = {"small": 0.22, "large": 0.40}


@dataclass(frozen=True)
class Figure:
    """One drawn shape; `x` and `y` are its centre in pixels, `radius` half of what it measures across."""

    shape: str
    colour: str
    size: str
    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Drawing:
    """A picture and what is on it."""

    picture: Image.Image
    background: str
    figures: tuple[Figure, ...]


def drawing(seed: int) -> Drawing:
    """A drawing from its seed: canvas 64 to 1024, any aspect to 1:3, shapes and colours all different."""
    dice = random.Random(seed)
    width, height = _canvas(dice)
    palette = dice.choice(PALETTES)
    background, pixels = _background(dice, width, height)
    figures: list[Figure] = []
    while not figures:
        figures = _figures(dice, width, height)
    style = {"apex": dice.random(), "inner": dice.uniform(0.382, 0.48), "box": dice.random() < 0.5}
    for figure in figures:
        turn = math.radians(dice.uniform(-12, 12)) if dice.random() < 0.6 else 0.0
        cover = _coverage(figure, width, height, turn, style)[..., None]
        colour = np.array([int(palette[figure.colour][at : at + 2], 16) for at in (0, 2, 4)], np.float32)
        pixels = pixels * (1 - cover) + colour * cover
    return Drawing(_worn(dice, pixels), background, tuple(figures))


def _canvas(dice: random.Random) -> tuple[int, int]:
    """Width and height."""
    long = dice.choice((64, 96, 128, 160, 200, 224, 256, 300, 336, 400, 512, 640, 800, 1024))
    aspect = dice.choice((1, 1, 1, 4 / 3, 3 / 2, 16 / 9, 2, 3, dice.uniform(1, 3)))
    short = max(round(long / aspect), 48)
    return (long, short) if dice.random() < 0.5 else (short, long)


def _background(dice: random.Random, width: int, height: int) -> tuple[str, Array]:
    """One of the four backgrounds and its pixels, [height, width, 3]."""
    name = dice.choice(("white", "grey", "black", "gradient"))
    plain = {"white": (255, 255, 255), "grey": dice.choice(((128,) * 3, (160,) * 3, (190,) * 3)), "black": (0, 0, 0)}
    if name != "gradient":
        return name, np.ones((height, width, 3), np.float32) * plain[name]
    ends = dice.choice(GRADIENTS)
    ends = ends if dice.random() < 0.5 else ends[::-1]
    along = np.linspace(0, 1, width)[None, :, None] * np.ones((height, 1, 1))
    down = np.linspace(0, 1, height)[:, None, None] * np.ones((1, width, 1))
    slope = dice.choice((along, down, (along + down) / 2))
    return name, (np.array(ends[0]) * (1 - slope) + np.array(ends[1]) * slope).astype(np.float32)


def _figures(dice: random.Random, width: int, height: int) -> list[Figure]:
    """One to four figures whose boxes keep apart; none when they did not fit."""
    count = dice.randint(1, 4)
    shapes, colours = dice.sample(SHAPES, count), dice.sample(sorted(PALETTES[0]), count)
    figures: list[Figure] = []
    for shape, colour in zip(shapes, colours, strict=True):
        size = dice.choice(("small", "large"))
        radius = DIAMETERS[size] / 2 * min(width, height) * dice.uniform(0.92, 1.08)
        for _ in range(100):
            x, y = dice.uniform(radius + 1, width - radius - 1), dice.uniform(radius + 1, height - radius - 1)
            if all(max(abs(x - each.x), abs(y - each.y)) > radius + each.radius + 2 for each in figures):
                figures.append(Figure(shape, colour, size, x, y, radius))
                break
        else:
            return []
    return figures


def _coverage(figure: Figure, width: int, height: int, turn: float, style: dict[str, float]) -> Array:
    """How much of each pixel the figure covers, [height, width] in 0..1, from its signed distance."""
    x = np.arange(width, dtype=np.float32)[None, :] + 0.5 - figure.x
    y = np.arange(height, dtype=np.float32)[:, None] + 0.5 - figure.y
    u, v = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    return np.clip(0.5 - _distance(figure, u, v, style), 0, 1)


def _distance(figure: Figure, u: Array, v: Array, style: dict[str, float]) -> Array:
    """Roughly how far each pixel lies outside the figure, in pixels; negative inside."""
    radius = figure.radius
    if figure.shape == "circle":
        return np.hypot(u, v) - radius
    if figure.shape == "square":
        half = radius * (0.9 if style["box"] else 0.75)
        return np.maximum(np.abs(u), np.abs(v)) - half
    if figure.shape == "triangle":
        foot = radius * (0.5 if style["apex"] < 0.5 else 0.85)
        half_base = radius * (0.866 if style["apex"] < 0.5 else 0.95)
        slope = math.atan2(half_base, foot + radius)
        side = np.abs(u) * math.cos(slope) - (v + radius) * math.sin(slope)
        return np.maximum(side, v - foot)
    angle = np.abs((np.arctan2(u, -v) % (2 * math.pi / 5)) - math.pi / 5)  # 0 in a notch, pi/5 at a tip
    return _star_edge(np.hypot(u, v), math.pi / 5 - angle, radius, radius * style["inner"])


def _star_edge(distance: Array, angle: Array, outer: float, inner: float) -> Array:
    """Distance to the edge from a tip (at angle 0) to the next notch (at angle pi/5)."""
    notch_x, notch_y = inner * math.cos(math.pi / 5), inner * math.sin(math.pi / 5)
    run_x, run_y = notch_x - outer, notch_y
    length = math.hypot(run_x, run_y)
    x, y = distance * np.cos(angle), distance * np.sin(angle)
    return ((x - outer) * notch_y - y * run_x) / length


def _worn(dice: random.Random, pixels: Array) -> Image.Image:
    """Noise and JPEG artefacts, each on some pictures."""
    if dice.random() < 0.4:
        noise = np.random.default_rng(dice.getrandbits(32)).normal(0, dice.uniform(1, 9), pixels.shape)
        pixels = pixels + noise
    picture = Image.fromarray(np.clip(pixels + 0.5, 0, 255).astype(np.uint8))
    if dice.random() < 0.4:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=dice.randint(55, 95))
        picture = Image.open(file).convert("RGB")
    return picture
