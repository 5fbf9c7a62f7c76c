"""How much memory a device may take, and how that is written: `8GiB`, `0=20GiB`, `cuda:1=40GB`, `cpu=50%`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from llavacli_core.errors import BadOption

UNITS = {"": 1, "b": 1}
UNITS |= {f"{letter}b": 1000**power for power, letter in enumerate("kmgt", start=1)}
UNITS |= {f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", start=1)}
SIZE = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*([a-z]*|%)", re.IGNORECASE | re.ASCII)
DEVICE = re.compile(r"cpu|mps|cuda(?::\d+)?|\d+", re.ASCII)
HINT = "SIZE or DEVICE=SIZE, e.g. 8GiB, cuda:0=20GiB, cpu=64GB or 0=80%"

MaxMemory = Mapping[int | str, int | str] | Iterable[str] | str | int | None


@dataclass(frozen=True)
class Budget:
    """So many bytes of a device, or a share of what is free there. Without a device, it is the chosen one's."""

    device: str | None  # cpu, mps, cuda, cuda:N
    size: int | None
    share: float | None = None

    def of(self, free: int) -> int:
        """The bytes, of so many that are free."""
        return int(free * self.share) if self.size is None and self.share is not None else self.size or 0


def budgets(max_memory: MaxMemory) -> tuple[Budget, ...]:
    """Budgets as they are written, one for a device: a size, "DEVICE=SIZE", several of these, or a mapping."""
    if max_memory is None:
        return ()
    if isinstance(max_memory, Mapping):
        written = [(str(device), size) for device, size in max_memory.items()]
    else:
        several = [max_memory] if isinstance(max_memory, str | int) else list(max_memory)
        pieces = [piece for text in several for piece in str(text).split(",")]
        written = [(device.strip() if equals else "", size) for device, equals, size in map(_parted, pieces)]
    found = [Budget(_device(device) if device else None, *_size(size)) for device, size in written]
    names = [budget.device for budget in found]
    for name in names:
        if names.count(name) > 1:
            raise BadOption(f"max_memory: {name or 'the device'} has two sizes", hint=HINT)
    return tuple(found)


def _parted(piece: str) -> tuple[str, str, str]:
    """ "DEVICE=SIZE" in three; a size alone has no device."""
    device, equals, size = piece.partition("=")
    return (device, equals, size) if equals else ("", "", piece)


def _device(text: str) -> str:
    """A device's name; a number alone is a GPU's."""
    if not DEVICE.fullmatch(text):
        raise BadOption(f"max_memory: no device {text!r}", hint=HINT)
    return f"cuda:{int(text)}" if text.isdecimal() else text


def _size(value: int | str) -> tuple[int | None, float | None]:
    """Bytes, or a share."""
    match = SIZE.fullmatch(str(value).strip())
    if isinstance(value, bool) or match is None or (match[2] != "%" and match[2].lower() not in UNITS):
        raise BadOption(f"max_memory: {str(value).strip()!r} is no size", hint=HINT)
    number = float(match[1])
    if number == 0 or (match[2] == "%" and number > 100):
        raise BadOption(f"max_memory: {value} is nothing to work with", hint="above 0, and at most 100%")
    return (None, number / 100) if match[2] == "%" else (int(number * UNITS[match[2].lower()]), None)
