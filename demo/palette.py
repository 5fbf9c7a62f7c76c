"""The eight colours and the four backgrounds a scene may have: ranges of colour rather than a fixed palette.

The ranges hold the named CSS colours and the usual plotting palettes, and leave gaps between neighbours, where people
do not agree on the word either.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Array = NDArray[Any]

Rgb = tuple[int, int, int]

COLOURS = ("red", "green", "blue", "yellow", "orange", "purple", "cyan", "pink")
BACKGROUNDS = ("white", "grey", "black", "gradient")


@dataclass(frozen=True)
class Range:
    """A box of hue (degrees; below 0 wraps), saturation and value (both 0..1)."""

    hue: tuple[float, float]
    saturation: tuple[float, float]
    value: tuple[float, float]


RANGES: dict[str, tuple[Range, ...]] = {
    "red": (Range((-7, 8), (0.66, 1), (0.62, 1)), Range((-13, -5), (0.8, 1), (0.7, 0.95))),
    "green": (Range((96, 148), (0.55, 1), (0.45, 1)), Range((108, 126), (0.8, 1), (0.45, 1))),
    "blue": (Range((206, 245), (0.62, 1), (0.6, 1)), Range((228, 243), (0.8, 1), (0.5, 1))),
    "yellow": (Range((48, 62), (0.6, 1), (0.82, 1)),),
    "orange": (Range((22, 40), (0.68, 1), (0.84, 1)),),
    "purple": (Range((268, 301), (0.5, 1), (0.42, 0.86)), Range((270, 292), (0.6, 0.95), (0.6, 0.95))),
    "cyan": (Range((174, 193), (0.55, 1), (0.68, 1)),),
    "pink": (Range((320, 350), (0.25, 0.6), (0.88, 1)), Range((320, 334), (0.5, 0.75), (0.88, 1))),
}

# The spellings other programs reach for first; each is drawn as it is or with a few levels of jitter.
NAMED: dict[str, tuple[Rgb, ...]] = {
    "red": ((255, 0, 0), (220, 20, 60), (214, 39, 40), (230, 25, 25)),
    "green": ((0, 128, 0), (0, 255, 0), (50, 205, 50), (44, 160, 44), (0, 160, 0)),
    "blue": ((0, 0, 255), (30, 144, 255), (65, 105, 225), (31, 119, 180), (30, 60, 220)),
    "yellow": ((255, 255, 0), (255, 215, 0), (250, 220, 30)),
    "orange": ((255, 165, 0), (255, 140, 0), (255, 127, 14)),
    "purple": ((128, 0, 128), (148, 103, 189), (138, 43, 226), (160, 32, 240)),
    "cyan": ((0, 255, 255), (64, 224, 208), (0, 200, 220), (0, 206, 209)),
    "pink": ((255, 192, 203), (255, 105, 180), (255, 182, 193), (255, 150, 190)),
}


def paint(colour: str, rng: Generator) -> Rgb:
    """An RGB value that goes by the name of `colour`: one in three near a named one, else anywhere in its ranges."""
    if rng.random() < 0.33:
        named = NAMED[colour][rng.integers(len(NAMED[colour]))]
        jitter = rng.integers(-6, 7, 3) if rng.random() < 0.5 else np.zeros(3, int)
        return _rgb(np.clip(np.array(named) + jitter, 0, 255))
    box = RANGES[colour][rng.integers(len(RANGES[colour]))]
    hue, saturation, value = (rng.uniform(*side) for side in (box.hue, box.saturation, box.value))
    return _rgb(np.array(colorsys.hsv_to_rgb(hue / 360 % 1, saturation, value)) * 255)


def _rgb(levels: Array) -> Rgb:
    """Three levels as a tuple of plain integers."""
    red, green, blue = (round(float(level)) for level in levels)
    return red, green, blue


@dataclass(frozen=True)
class Background:
    """One of BACKGROUNDS: `start` to `end` along (across, down), or from the centre outwards."""

    word: str
    start: Rgb
    end: Rgb
    across: float = 0.0
    down: float = 0.0
    radial: bool = False

    def at(self, u: Array, v: Array) -> Array:
        """Colours at the fractions `u` of the width and `v` of the height, broadcast: [..., 3] floats."""
        if self.radial:
            t = np.hypot(u - 0.5, v - 0.5) * 2**0.5
        else:
            t = self.across * u + self.down * v
            t = t - min(self.across, 0) - min(self.down, 0)
        start, end = np.array(self.start, np.float32), np.array(self.end, np.float32)
        return start + (end - start) * np.clip(t, 0, 1)[..., None].astype(np.float32)


def background(rng: Generator) -> Background:
    """A flat white, grey or black, slightly tinted at times, or a gradient."""
    word = BACKGROUNDS[rng.choice(4, p=(0.27, 0.2, 0.18, 0.35))]
    if word == "gradient":
        return _gradient(rng)
    level = {"white": rng.integers(245, 256), "grey": rng.integers(95, 215), "black": rng.integers(0, 28)}[word]
    if rng.random() < 0.35:
        level = {"white": 255, "grey": rng.choice((128, 160, 190, 200, 211)), "black": 0}[word]
    tint = rng.integers(-5, 6, 3) if rng.random() < 0.3 else np.zeros(3, int)
    flat = _rgb(np.clip(level + tint, 0, 255))
    return Background(word, flat, flat)


_DIRECTIONS = ((1, 0), (0, 1), (0.5, 0.5), (0.5, -0.5))


def _gradient(rng: Generator) -> Background:
    """Two greyish ends, or two tinted ones, that differ visibly, in any of nine directions."""
    if rng.random() < 0.55:
        span = rng.uniform(50, 170)
        low = rng.uniform(0, 255 - span)
        tints = rng.uniform(-14, 14, (2, 3)) * (rng.random() < 0.5)
        ends = np.clip(np.array([[low], [low + span]]) + tints, 0, 255)
    else:
        ends = _tinted_ends(rng)
    start, end = (_rgb(side) for side in (ends if rng.random() < 0.5 else ends[::-1]))
    across, down = _DIRECTIONS[rng.choice(4, p=(0.3, 0.34, 0.18, 0.18))]
    return Background("gradient", start, end, across, down, bool(rng.random() < 0.08))


def _tinted_ends(rng: Generator) -> Array:
    """Ends of a coloured gradient, pale or dark rather than vivid: [2, 3] levels, at least 45 apart somewhere."""
    while True:
        pairs = [(rng.random(), rng.uniform(0.03, 0.42), rng.uniform(0.15, 1)) for _ in range(2)]
        ends = np.array([colorsys.hsv_to_rgb(*each) for each in pairs])
        if rng.random() < 0.5:  # one hue, light to dark
            ends[1] = ends[0] * rng.uniform(0.3, 0.8)
        if np.abs(ends[0] - ends[1]).max() * 255 >= 45:
            return ends * 255
