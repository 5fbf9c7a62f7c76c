"""A table of weight names: how a row is written, and the functions that read it both ways."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

WHOLE = -1  # the part of a tensor that is stored as all of a stack's matrices in one


@dataclass(frozen=True)
class Target:
    """Where a tensor goes: one of our parameters and, where that stacks several matrices, which of them.

    The last two say how the tensor lies on disk; they are no part of the place's identity.
    """

    name: str
    part: int = 0
    transposed: bool = field(default=False, compare=False)  # stored [in, out], as GPT-2's Conv1D has it
    squeezed: bool = field(default=False, compare=False)  # stored with leading dimensions of 1 that ours lacks


Table = dict[str, Target | None]  # None: known, and not kept


def affine(theirs: str, ours: str, part: int = 0) -> Table:
    """The rows of a layer with a weight and perhaps a bias."""
    return {f"{theirs}.{end}": Target(f"{ours}.{end}", part) for end in ("weight", "bias")}


def under(prefixes: tuple[str, ...], ours: str, table: Table) -> Table:
    """`table` with each of the checkpoint's `prefixes` before its names, and ours before our own."""
    return {
        prefix + theirs: None if target is None else replace(target, name=ours + target.name)
        for prefix in prefixes
        for theirs, target in table.items()
    }


def row_of(name: str) -> str:
    """The name with {} for its numbers, as tables spell it."""
    return re.sub(r"(?<=\.)\d+(?=\.)", "{}", name)


def rename(name: str, table: Table) -> Target | None:
    """Our place for a checkpoint's weight; None for one that is known and not kept. KeyError for a stranger."""
    numbers = re.findall(r"(?<=\.)\d+(?=\.)", name)
    target = table[row_of(name)]
    return None if target is None else replace(target, name=target.name.format(*numbers))


def theirs(target: Target, table: Table) -> str:
    """What a checkpoint on the Hub calls one of our weights: the first row that leads there, alone or in a stack."""
    numbers = re.findall(r"(?<=\.)\d+(?=\.)", target.name)
    places = [replace(target, name=row_of(target.name), part=part) for part in (target.part, WHOLE)]
    return next(name for name, ours in table.items() if ours in places).format(*numbers)
