"""A picture in half blocks: two pixels to a cell, the upper one in the character's colour; or in characters alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Depth = Literal["full", "256", "grey"]
Colour = tuple[int, int, int]
Code = Callable[[Colour], str]

UPPER_HALF = "\u2580"
GREYS = " .:-=+*#%@"  # from dark to light, as on a dark terminal
BOX = 4  # Pillow's number

_CUBE = (0, 95, 135, 175, 215, 255)  # levels of xterm's colours 16 to 231


def blocks(picture: Picture, depth: Depth) -> str:
    """An RGB picture with square pixels, a line for every two of its rows."""
    if depth == "grey":
        return _characters(picture)
    code = cache(_full if depth == "full" else _nearest)
    rows = _rows(picture)
    return "".join(_line(upper, next(rows, None), code) for upper in rows)


def _line(upper: list[Colour], lower: list[Colour] | None, code: Code) -> str:
    """Two rows of pixels; colours are said where they change."""
    parts, front, back = [], "", ""
    for at, colour in enumerate(upper):
        above = f"38;{code(colour)}"
        below = f"48;{code(lower[at])}" if lower else ""
        changed = [now for now, was in ((above, front), (below, back)) if now != was]
        parts.append((f"\x1b[{';'.join(changed)}m" if changed else "") + UPPER_HALF)
        front, back = above, below
    return "".join(parts) + "\x1b[0m\n"


def _rows(picture: Picture) -> Iterator[list[Colour]]:
    data = picture.tobytes()
    for start in range(0, len(data), 3 * picture.width):
        row = data[start : start + 3 * picture.width]
        yield list(zip(row[::3], row[1::3], row[2::3], strict=True))


def _characters(picture: Picture) -> str:
    """A character for every two pixels, one above the other."""
    small = picture.convert("L").resize((picture.width, -(-picture.height // 2)), BOX)
    text = "".join(GREYS[level * len(GREYS) // 256] for level in small.tobytes())
    return "".join(text[at : at + small.width].rstrip() + "\n" for at in range(0, len(text), small.width))


def _full(colour: Colour) -> str:
    return f"2;{colour[0]};{colour[1]};{colour[2]}"


def _nearest(colour: Colour) -> str:
    """The nearest of xterm's 6 x 6 x 6 colours and 24 greys."""
    steps = [_step(level) for level in colour]
    grey = min(max((sum(colour) // 3 - 3) // 10, 0), 23)
    cube = tuple(_CUBE[step] for step in steps)
    if _distance(colour, (8 + 10 * grey,) * 3) < _distance(colour, cube):
        return f"5;{232 + grey}"
    return f"5;{16 + 36 * steps[0] + 6 * steps[1] + steps[2]}"


def _step(level: int) -> int:
    """The nearest of the cube's levels."""
    return min(range(len(_CUBE)), key=lambda step: abs(_CUBE[step] - level))


def _distance(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
