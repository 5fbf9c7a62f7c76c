"""How much memory a device may take, and how that is written: `8GiB`, `0=20GiB`, `cuda:1=40GB`, `cpu=50%`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llavacli_core.errors import BadOption

UNITS = {"": 1, "b": 1}
UNITS |= {f"{letter}b": 1000**power for power, letter in enumerate("kmgt", start=1)}
UNITS |= {f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", start=1)}
SIZE = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*([a-z]*|%)", re.IGNORECASE | re.ASCII)
DEVICE = re.compile(r"cpu|mps|cuda(?::\d+)?|\d+", re.ASCII)
HINT = "SIZE or DEVICE=SIZE, e.g. 8GiB, cuda:0=20GiB, cpu=64GB or 0=80%"

MaxMemory = Mapping[int | str, int | str] | Sequence[str] | str | int | None


@dataclass(frozen=True)
class Budget:
    """So many bytes of a device, or a share of what is free there. Without a device, it is the chosen one's."""

    device: str | None  # cpu, mps, cuda, cuda:N
    size: int | None
    share: float | None = None

    def of(self, free: int) -> int:
        """The bytes, of so many that are free."""
        return int(free * self.share) if self.size is None and self.share is not None else self.size or 0


def memory_budgets(max_memory: MaxMemory) -> tuple[Budget, ...]:
    """Budgets as they are written, one for a device: a size, "DEVICE=SIZE", several of these, or a mapping."""
    found = [Budget(None if device is None else _device(device), *_size(size)) for device, size in _pairs(max_memory)]
    names = [budget.device for budget in found]
    for name in names:
        if names.count(name) > 1:
            raise BadOption(f"max_memory: {name or 'the device'} has two sizes", hint=HINT)
    return tuple(found)


def _pairs(max_memory: MaxMemory) -> list[tuple[str | None, int | str]]:
    """Devices, or None, and sizes."""
    if max_memory is None:
        return []
    if isinstance(max_memory, Mapping):
        return [(str(device), size) for device, size in max_memory.items()]
    several = max_memory if isinstance(max_memory, list | tuple) else [max_memory]
    pieces = [piece.rpartition("=") for text in several for piece in str(text).split(",")]
    return [(device.strip() if equals else None, size) for device, equals, size in pieces]


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
    size = number if match[2] == "%" else number * UNITS[match[2].lower()]
    if size <= 0 or (match[2] == "%" and size > 100) or (match[2] != "%" and size < 1):
        raise BadOption(f"max_memory: {value} is nothing to work with", hint="above 0, and at most 100%")
    return (None, size / 100) if match[2] == "%" else (int(size), None)
