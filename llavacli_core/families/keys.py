"""Reading a JSON object key by key: each value has its type checked, and a fault names the file and the key."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from llavacli_core.errors import BrokenModel

MOST = 2**53  # of whole numbers: JSON has no larger ones that all programs read alike
MOST_PIXELS = 2**24  # of all tiles of a picture; the published checkpoints have 672 x 672
MOST_EDGE = 2**12  # of one tile


class Keys:
    """A section of a JSON file. Keys may be tried under several names, newest first; a default stands in for none."""

    def __init__(self, values: Any, where: str) -> None:
        if not isinstance(values, Mapping):
            raise BrokenModel(f"{where} is not a JSON object", hint="the file is damaged or of another kind of model")
        self.values = values
        self.where = where

    def get(self, *names: str, default: Any = None) -> Any:
        """The value under the first of `names` that is there and not null."""
        return next((self.values[name] for name in names if self.values.get(name) is not None), default)

    def section(self, name: str) -> Keys:
        """The object under `name`; empty when absent, so that class defaults apply."""
        return Keys(self.get(name, default={}), f"{self.where}: {name}")

    def integer(self, *names: str, default: int | None = None, least: int = 1, most: int | None = None) -> int:
        """A whole number from `least` to `most`, or to MOST."""
        value = self.get(*names, default=default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= (most or MOST):
            span = f"of at least {least}" if most is None else f"from {least} to {most}"
            raise self.fault(names[0], f"a whole number {span}", value)
        return value

    def number(self, *names: str, default: float | None = None) -> float:
        """A positive number."""
        value = self.get(*names, default=default)
        if not is_number(value) or value <= 0:
            raise self.fault(names[0], "a positive number", value)
        return float(value)

    def flag(self, *names: str, default: bool) -> bool:
        """True or false."""
        value = self.get(*names, default=default)
        if not isinstance(value, bool):
            raise self.fault(names[0], "true or false", value)
        return value

    def choice(self, *names: str, among: tuple[str, ...], default: str | None = None) -> str:
        """One of a few words."""
        value = self.get(*names, default=default)
        if value not in among:
            raise self.fault(names[0], f"one of {', '.join(among)}", value)
        return str(value)

    def integers(self, *names: str, default: Any = None) -> tuple[int, ...]:
        """Whole numbers; a single one counts as a list of one, none at all as an empty list."""
        value = self.get(*names, default=default)
        listed = [] if value is None else value if isinstance(value, list | tuple) else [value]
        if any(isinstance(item, bool) or not isinstance(item, int) for item in listed):
            raise self.fault(names[0], "a whole number or a list of them", value)
        return tuple(listed)

    def numbers(self, *names: str, length: int, default: Any = None) -> tuple[float, ...]:
        """`length` numbers; a single one counts for all."""
        value = self.get(*names, default=default)
        listed = list(value) if isinstance(value, list | tuple) else [value] * length
        if len(listed) != length or not all(map(is_number, listed)):
            raise self.fault(names[0], f"{length} numbers", value)
        return tuple(float(item) for item in listed)

    def pairs(self, *names: str, default: Any = None) -> tuple[tuple[int, int], ...]:
        """A list of sizes in pixels, at least one, none beyond reason: a hostile file must not exhaust the memory."""
        value = self.get(*names, default=default)
        if not isinstance(value, list | tuple) or not value:
            raise self.fault(names[0], "a list of [height, width] pairs", value)
        for pair in value:
            sound = isinstance(pair, list | tuple) and len(pair) == 2 and all(isinstance(edge, int) for edge in pair)
            if not sound or min(pair) < 1 or pair[0] * pair[1] > MOST_PIXELS:
                raise self.fault(names[0], f"a list of [height, width] pairs, {MOST_PIXELS} pixels at most", value)
        return tuple((height, width) for height, width in value)

    def fault(self, name: str, expected: str, value: Any) -> BrokenModel:
        """The error for a value that is not as `expected`."""
        said = "is missing" if value is None else f"is {value!r:.80}"
        return BrokenModel(
            f"{self.where}: {name} {said}, expected {expected}", hint="the file is damaged or of another kind of model"
        )


def is_number(value: Any) -> bool:
    """Whether it is a finite number, and no truth value."""
    try:
        return not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False
