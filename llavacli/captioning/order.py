"""The order in which people list files: a2 before a10, folder by folder."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"([0-9]+)")

Order = tuple[tuple[tuple[tuple[int, str], ...], ...], str]


def natural(path: str) -> Order:
    """A sort key: runs of digits count as numbers, letters without their case; equals are told apart by spelling."""
    return tuple(_part(part) for part in path.split("/")), path


def _part(name: str) -> tuple[tuple[int, str], ...]:
    """Words and numbers in turn; a word's number is -1, a number's word empty, so that any two parts compare."""
    pieces = _NUMBER.split(name.casefold())
    return tuple((int(piece), "") if place % 2 else (-1, piece) for place, piece in enumerate(pieces))
