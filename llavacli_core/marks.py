"""A mark drawn on a picture, and the text that describes one: `SHAPE:COORDS[:COLOUR][:NAME=VALUE...]`.

    box:10%,10%,60%,60%:red            two opposite corners        ellipse   the corners of the box around it
    circle:320,240,50                  the centre and the radius   point     a filled dot
    arrow:0.9,0.9,0.5,0.5:blue         from, to: there is the head
    polygon:40,20,90,20,65,80          the corners, outlined       mask      the same, filled
    scribble:10,10,60,40,90,15         a smooth line through points

COORDS are x and y in turn, from the upper left corner of the upright picture, all in one unit:

- `10%`: percent of the width and the height; a circle's radius in percent of the shorter edge;
- `10px`: pixels;
- plain numbers: fractions of the same, where all lie within 0..1 and at least one has a decimal point (`0,0,0.5,1`,
  `0.0,0.0,1.0,1.0`); else pixels (`0,0,1,1`, `12.5,3,40,60`).

After them, in any order: a colour (a name of CSS, #rgb or #rrggbb; red, if none is given), `alpha=` (above 0, up to 1;
1, and 0.5 for a mask), `width=` of the line, `radius=` of a point (both relative to the picture, if not given). These
two are pixels, whatever the unit of COORDS, or percent of the shorter edge: `width=8`, `width=2%`. A plain number below
1 is refused, as it is more likely meant for a share; `0.5px` is half a pixel.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import ClassVar, Literal, NamedTuple, get_args

from llavacli_core.errors import BadOption

Shape = Literal["box", "ellipse", "circle", "point", "arrow", "polygon", "scribble", "mask"]
Unit = Literal["pixels", "percent", "fraction"]
LengthUnit = Literal["pixels", "percent"]

NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(%|px)?", re.ASCII)
COLOR = re.compile(r"#(?:[0-9a-f]{3}){1,2}", re.ASCII)
LIMIT = {"pixels": 1e6, "percent": 1e3, "fraction": 1.0}  # ten times the longest edge a picture may have
MAX_POINTS = 1000  # ten seconds of a mouse's way; outlines that segmenters give have some hundreds


class Form(NamedTuple):
    """What a shape's text is made of."""

    coordinates: str
    example: str
    numbers: int  # as many, or in an open form (...) at least as many
    distinct: int  # points
    options: tuple[str, ...]


LINE = ("alpha", "width")
FORMS: dict[str, Form] = {
    "box": Form("X1,Y1,X2,Y2", "10%,10%,60%,60%:red", 4, 2, LINE),
    "ellipse": Form("X1,Y1,X2,Y2", "10%,10%,60%,60%:red", 4, 2, LINE),
    "circle": Form("X,Y,RADIUS", "320,240,50:red", 3, 1, LINE),
    "point": Form("X,Y", "0.5,0.5:red", 2, 1, ("alpha", "radius")),
    "arrow": Form("X1,Y1,X2,Y2", "0.9,0.9,0.5,0.5:blue", 4, 2, LINE),
    "polygon": Form("X1,Y1,X2,Y2,X3,Y3,...", "40,20,90,20,65,80:red", 6, 3, LINE),
    "scribble": Form("X1,Y1,X2,Y2,...", "10%,10%,40%,30%,60%,15%:red", 4, 2, LINE),
    "mask": Form("X1,Y1,X2,Y2,X3,Y3,...", "40,20,90,20,65,80:red:alpha=0.5", 6, 3, ("alpha",)),
}


class Length(NamedTuple):
    """The width of a line or the radius of a point; in pixels, or in percent of the picture's shorter edge."""

    value: float
    unit: LengthUnit = "pixels"


@dataclass(frozen=True)
class Mark:
    """A mark to be drawn; see the module for the units. `str(mark)` is its canonical text, which `parse` reads back.

    What is None is settled by the shape and the picture's size when it is drawn. Raises BadOption for what cannot be.
    """

    shape: Shape
    coordinates: tuple[float, ...]
    unit: Unit = "pixels"
    color: str = "red"
    alpha: float | None = None
    width: Length | None = None
    radius: Length | None = None
    SHAPES: ClassVar[tuple[Shape, ...]] = get_args(Shape)

    def __post_init__(self) -> None:
        if self.shape not in FORMS:
            raise BadOption(f"there is no mark {self.shape!r}", hint=f"the shapes are {', '.join(self.SHAPES)}")
        if not isinstance(self.color, str):
            raise BadOption(f"a mark's colour is a word, not {self.color!r}", hint="name one of CSS, or write #rrggbb")
        try:
            object.__setattr__(self, "coordinates", tuple(map(float, self.coordinates)))
        except (TypeError, ValueError) as error:
            raise BadOption(f"a mark's coordinates are numbers: {error}", hint=form(self.shape)) from error
        object.__setattr__(self, "color", self.color.lower())
        _check_coordinates(self)
        _check_options(self)

    @classmethod
    def parse(cls, text: str) -> Mark:
        """The mark that a text describes; raises BadOption, in one line that shows the right form."""
        shape, *fields = (field.strip() for field in text.split(":"))
        name = shape.lower()
        if name not in FORMS:
            raise BadOption(
                f"mark {_short(text)}: there is no shape {_short(shape)}",
                hint=f"the shapes are {', '.join(cls.SHAPES)}",
            )
        try:
            coordinates, unit = _numbers(fields[0] if fields else "")
            return cls(name, coordinates, unit, **_options(fields[1:], FORMS[name].options))  # type: ignore[arg-type]
        except BadOption as error:
            raise BadOption(f"mark {_short(text)}: {error}", hint=error.hint or form(name)) from None

    def __str__(self) -> str:
        parts = [self.shape, _written(self.coordinates, self.unit), self.color]
        parts += [] if self.alpha is None else [f"alpha={_plain(self.alpha)}"]
        for name, length in (("width", self.width), ("radius", self.radius)):
            parts += [] if length is None else [f"{name}={_written_length(length)}"]
        return ":".join(parts)

    @property
    def rgb(self) -> tuple[int, int, int]:
        """The colour's red, green and blue, 0..255."""
        from PIL import ImageColor

        red, green, blue = ImageColor.getrgb(self.color)[:3]
        return red, green, blue


def form(shape: str) -> str:
    """How a shape is written, with an example: what an error's hint says."""
    spelt = FORMS[shape]
    return f"write it as {shape}:{spelt.coordinates}, e.g. {shape}:{spelt.example}"


def _check_coordinates(mark: Mark) -> None:
    """Refuse numbers that are too few, too many, too large, or that leave nothing to draw."""
    spelt, numbers = FORMS[mark.shape], mark.coordinates
    points = list(zip(numbers[::2], numbers[1::2], strict=False))
    hint = form(mark.shape)
    is_open = spelt.coordinates.endswith("...")
    if len(numbers) != spelt.numbers and not (is_open and len(numbers) > spelt.numbers and len(numbers) % 2 == 0):
        wanted = f"at least {spelt.numbers} numbers, an even count" if is_open else f"{spelt.numbers} numbers"
        raise BadOption(f"{mark.shape} takes {wanted}, not {len(numbers)}", hint=hint)
    if len(points) > MAX_POINTS:
        raise BadOption(
            f"{mark.shape} has {len(points)} points, and may have {MAX_POINTS}", hint="leave out most of them"
        )
    for number in numbers:
        _check_number(number, mark.unit, hint)
    if len(set(points)) < spelt.distinct:
        raise BadOption(f"{mark.shape} needs {spelt.distinct} different points", hint=hint)
    if mark.shape in ("box", "ellipse") and (numbers[0] == numbers[2] or numbers[1] == numbers[3]):
        raise BadOption(f"{mark.shape} has no area: its corners lie on one line", hint=hint)
    if mark.shape in ("polygon", "mask") and _is_straight(points):
        raise BadOption(f"{mark.shape} has no area: its corners lie on one line", hint=hint)
    if mark.shape == "circle" and numbers[2] <= 0:
        raise BadOption(f"the radius must be above 0, not {numbers[2]:g}", hint=hint)


def _is_straight(points: Sequence[tuple[float, float]]) -> bool:
    """Whether all points lie on one line, by the decimals that they were written as."""
    exact = [(Fraction(repr(x)), Fraction(repr(y))) for x, y in points]
    (x, y), *rest = exact
    across, down = next((a - x, b - y) for a, b in rest if (a, b) != (x, y))
    return all((a - x) * down == (b - y) * across for a, b in rest)


def _check_number(number: float, unit: Unit, hint: str) -> None:
    """Refuse a number that is none, or so far out that no picture reaches there."""
    if unit not in LIMIT:
        raise BadOption(f"a mark's unit is {', '.join(LIMIT)}, not {unit!r}", hint=hint)
    if not math.isfinite(number) or abs(number) > LIMIT[unit] or (unit == "fraction" and number < 0):
        bounds = "0..1" if unit == "fraction" else f"-{LIMIT[unit]:.0f}..{LIMIT[unit]:.0f}"
        raise BadOption(f"{number:g} is not within {bounds} ({unit})", hint=hint)


def _check_options(mark: Mark) -> None:
    """Refuse a colour nobody knows, and options out of range or of another shape."""
    from PIL import ImageColor

    if not COLOR.fullmatch(mark.color) and mark.color not in ImageColor.colormap:
        raise BadOption(f"there is no colour {_short(mark.color)}", hint="name one of CSS, or write #rgb or #rrggbb")
    if mark.alpha is not None and not 0 < mark.alpha <= 1:  # NaN is not, either
        raise BadOption(f"alpha must be above 0 and at most 1, not {mark.alpha:g}", hint="e.g. alpha=0.5")
    for name, length in (("width", mark.width), ("radius", mark.radius)):
        if length is None:
            continue
        if not isinstance(length, Length):
            raise BadOption(f"{name} is a Length, not {length!r}", hint="e.g. Length(8)")
        if length.unit not in get_args(LengthUnit):
            raise BadOption(f"{name} is in pixels or percent, not {length.unit!r}", hint='e.g. Length(2, "percent")')
        if name not in FORMS[mark.shape].options:
            raise _unknown(name, FORMS[mark.shape].options)
        _check_number(length.value, length.unit, f"e.g. {name}=8 or {name}=2%")
        if length.value <= 0:
            raise BadOption(f"{name} must be above 0, not {length.value:g}", hint=f"e.g. {name}=8 or {name}=2%")


def _numbers(text: str) -> tuple[tuple[float, ...], Unit]:
    """The numbers of a list `1,2,...`, and their one unit: see the module for the rule."""
    pieces = [piece.strip() for piece in text.split(",")] if text else []
    matches = [NUMBER.fullmatch(piece) for piece in pieces]
    for piece, match in zip(pieces, matches, strict=True):
        if match is None:
            raise BadOption(f"{_short(piece)} is not a number, a percentage, or a number of pixels")
    values = tuple(float(match[1]) for match in matches if match)
    suffixes = {match[2] for match in matches if match}
    if len(suffixes) > 1:
        raise BadOption("its numbers have different units", hint="give all with %, all with px, or all plain")
    if "%" in suffixes:
        return values, "percent"
    return values, "fraction" if None in suffixes and _reads_as_fraction(pieces, values) else "pixels"


def _reads_as_fraction(pieces: list[str], values: tuple[float, ...]) -> bool:
    """Whether plain numbers are shares of the picture: within 0..1, and one at least with a decimal point."""
    return any("." in piece for piece in pieces) and all(0 <= value <= 1 for value in values)


def _options(fields: list[str], known: tuple[str, ...]) -> dict[str, object]:
    """What stands after the coordinates: at most one colour, and named values."""
    found: dict[str, object] = {}
    for field in fields:
        name, equals, value = (part.strip() for part in field.partition("="))
        name = "color" if not equals or name.lower() == "colour" else name.lower()
        if name in found:
            raise BadOption("two colours are given" if name == "color" else f"{name} is given twice")
        if name == "color":
            found[name] = value if equals else field
        elif name not in known:
            raise _unknown(name, known)
        else:
            found[name] = _alpha(value) if name == "alpha" else _length(name, value)
    return found


def _unknown(name: str, known: tuple[str, ...]) -> BadOption:
    listed = " and ".join(f"{option}=" for option in known)
    return BadOption(f"there is no option {_short(name)} here", hint=f"after the coordinates come a colour, {listed}")


def _alpha(text: str) -> float:
    match = NUMBER.fullmatch(text)
    if match is None or match[2] == "px":
        raise BadOption(f"alpha must be a number, not {_short(text)}", hint="e.g. alpha=0.5")
    return float(match[1]) / (100 if match[2] else 1)


def _length(name: str, text: str) -> Length:
    """A width or a radius: `8`, `8px`, `2%`."""
    match = NUMBER.fullmatch(text)
    if match is None:
        raise BadOption(f"{name} must be one number, not {_short(text)}", hint=f"e.g. {name}=8 or {name}=2%")
    value = float(match[1])
    if match[2] is None and 0 < value < 1:
        share = _plain(float(Decimal(match[1]) * 100))
        raise BadOption(
            f"{name}={text} is less than a pixel",
            hint=f"write {name}={share}% for a share of the shorter edge, or {name}={text}px",
        )
    return Length(value, "percent" if match[2] == "%" else "pixels")


def _written_length(length: Length) -> str:
    """A width or a radius as `_length` reads it back."""
    suffix = "%" if length.unit == "percent" else "px" if length.value < 1 else ""
    return f"{_plain(length.value)}{suffix}"


def _written(numbers: tuple[float, ...], unit: Unit) -> str:
    """A list of numbers as `_numbers` reads it back, to the last bit."""
    plain = [_plain(number) for number in numbers]
    if unit == "fraction":
        plain = [text if "." in text else f"{text}.0" for text in plain]
    suffix = "%" if unit == "percent" else ""
    if unit == "pixels" and _reads_as_fraction(plain, numbers):
        suffix = "px"
    return ",".join(f"{text}{suffix}" for text in plain)


def _plain(number: float) -> str:
    """The shortest decimal that is this number, without an exponent: 12, 0.5."""
    text = format(Decimal(repr(float(number))), "f")
    return text.removesuffix(".0")


def _short(text: str) -> str:
    """A piece of input as messages show it: quoted, on one line, not too long."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
