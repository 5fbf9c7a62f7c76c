"""Which part of a network lies where: numbers in, a layout out. Nothing is measured here, and nothing moved.

Data flows through the parts in a fixed order, so a layout is a chain cut into runs, one for each device that computes.
Layers for which no device has room are guests on the last one: they are kept elsewhere, and come when they are called.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llavacli_core.errors import OutOfMemory

GUESTS_AT_ONCE = 2  # one computes while the next comes
MEMORY, DISK = "cpu", "disk"  # where guests are kept


@dataclass(frozen=True, kw_only=True)
class Needs:
    """Bytes of a network's parts, in order, and what is needed beside them."""

    first: int  # what comes before the layers
    blocks: tuple[int, ...]
    last: int  # what comes behind them; 0 where that lies with the first
    cache: int  # one layer's keys and values, wherever it computes
    working: int  # what computing takes on each device


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The device of everything; guests are the last layers."""

    first: str
    blocks: tuple[str, ...]  # where each layer computes
    last: str
    guests: tuple[str, ...] = ()  # where the last layers are kept: "cpu" or "disk"

    @property
    def residents(self) -> int:
        """How many layers stay where they compute."""
        return len(self.blocks) - len(self.guests)

    @property
    def whole(self) -> bool:
        """Whether everything lies on one device."""
        return not self.guests and {*self.blocks, self.last} <= {self.first}


def lay_out(needs: Needs, budgets: Sequence[tuple[str, int]], memory: int) -> Layout:
    """Parts on devices of so many bytes, in this order, and no more devices than it takes.

    One device alone, if one has room for all; else several; else as many layers as possible stay on them, and the rest
    are guests, kept in `memory` bytes of the computer's, and beyond that on disk. OutOfMemory if there is no way.
    """
    roomiest = sorted(budgets, key=lambda budget: -budget[1])[:1]
    for several in (roomiest, budgets):
        layout = _chain(needs, several, guests=0, memory=memory)
        if layout is not None:
            return layout
    most = len(needs.blocks)
    for guests in range(GUESTS_AT_ONCE + 1, most + 1):
        layout = _chain(needs, budgets, guests=guests, memory=memory)
        if layout is not None:
            return layout
    raise OutOfMemory(
        _too_small(needs, budgets), hint="--quant 4bit, --dtype bfloat16, a larger --max-memory, or a smaller model"
    )


def taken(needs: Needs, layout: Layout) -> dict[str, int]:
    """Bytes that a layout takes of each device that computes."""
    sums = dict.fromkeys((layout.first, *layout.blocks, layout.last), needs.working)
    sums[layout.first] += needs.first
    sums[layout.last] += needs.last
    for index, device in enumerate(layout.blocks):
        sums[device] += needs.cache + (needs.blocks[index] if index < layout.residents else 0)
    if layout.guests:
        sums[layout.blocks[-1]] += GUESTS_AT_ONCE * max(needs.blocks[layout.residents :])
    return sums


def kept(needs: Needs, layout: Layout, where: str) -> int:
    """Bytes of the guests that are kept in memory, or on disk."""
    sizes = needs.blocks[layout.residents :]
    return sum(size for size, home in zip(sizes, layout.guests, strict=True) if home == where)


def named(devices: Sequence[str], homes: Sequence[str] = ()) -> str:
    """Devices in a word, as they come: "cuda:0", "cuda:0-1", "cuda:0,2", "cuda:0+cpu", "cpu+disk"."""
    unique = list(dict.fromkeys(devices))
    numbers = [int(device.removeprefix("cuda:")) for device in unique if device.startswith("cuda:")]
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    spelt = ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
    others = [device for device in unique if not device.startswith("cuda:")]
    return "+".join(
        [*([f"cuda:{spelt}"] if spelt else []), *others, *(home for home in (MEMORY, DISK) if home in homes)]
    )


def _chain(needs: Needs, budgets: Sequence[tuple[str, int]], *, guests: int, memory: int) -> Layout | None:
    """Each part on the earliest device, from that of the part before on, that has room. None if the last has not."""
    staying = len(needs.blocks) - guests
    room = {device: size - needs.working for device, size in budgets}
    names, host = list(room), budgets[-1][0]
    if guests:
        room[host] -= GUESTS_AT_ONCE * max(needs.blocks[staying:]) + guests * needs.cache
    chain = [needs.first, *(size + needs.cache for size in needs.blocks[:staying])]
    places: list[str] = []
    for size in chain:
        while names and room[names[0]] < size:
            names.pop(0)
        if not names:
            return None
        room[names[0]] -= size
        places.append(names[0])
    if guests:
        names = [host]
    if needs.last:
        while names and room[names[0]] < needs.last:
            names.pop(0)
        if not names:
            return None
    if room[host] < 0:
        return None
    homes = []
    for size in needs.blocks[staying:]:
        homes.append(MEMORY if size <= memory else DISK)
        memory -= size if size <= memory else 0
    blocks = (*places[1:], *[host] * guests)
    return Layout(first=places[0], blocks=blocks, last=names[0] if needs.last else places[0], guests=tuple(homes))


def _too_small(needs: Needs, budgets: Sequence[tuple[str, int]]) -> str:
    """What the least would be."""
    guests = GUESTS_AT_ONCE * max(needs.blocks, default=0) + len(needs.blocks) * needs.cache
    everything = sum(needs.blocks) + len(needs.blocks) * needs.cache
    least = needs.first + needs.last + needs.working + min(guests, everything)
    have = ", ".join(f"{_size(size, math.floor)} on {device}" for device, size in budgets)
    return f"the model does not fit: on one device it takes at least {_size(least, math.ceil)}, and there is {have}"


def _size(count: int, rounded: Callable[[float], int]) -> str:
    """Bytes in words, of a thousand MB each."""
    unit, name = (10**9, "GB") if count >= 10**9 else (10**6, "MB")
    return f"{rounded(count * 10 / unit) / 10:g} {name}"
