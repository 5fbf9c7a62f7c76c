"""Keys and values of several rows, each with a length of its own: what a batch or a beam search decodes with.

R rows  K key-value heads  C head dim  S positions
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import torch
from torch import Tensor

from llavacli_core.nn.attention import hidden
from llavacli_core.nn.rotary import Rotary
from llavacli_core.portions import CACHE_BLOCK

GROWTH = 4  # times the slots, where more are needed

Pair = tuple[Tensor, Tensor]  # keys and values


class Rows:
    """Every layer's keys and values, [slots, K, capacity, C] each: row r lies in slot r, and further slots are free.

    Row r is in use up to `lengths[r]`; the rest of its slot is finite, as nothing times NaN is NaN. `fixed` layers'
    worth of further pairs (a captioner's cross-attention, whose keys come from the picture) may ride along: they are
    never written to, and follow their rows.
    Each layer's may lie on a device of its own.
    """

    def __init__(
        self,
        layers: Sequence[Pair],
        lengths: Sequence[int],
        *,
        fixed: Sequence[Pair] = (),
        rotary: Rotary | None = None,
    ) -> None:
        """Take over rows of these `lengths`, one in each slot; positions beyond are room.

        `rotary` holds the turns of that room, for decoders that turn.
        """
        self.layers = list(layers)
        self.fixed = list(fixed)
        self.rotary = rotary
        self.lengths = list(lengths)
        self._places: Tensor | None = None

    @classmethod
    def empty(
        cls,
        rows: int,
        *,
        layers: int,
        heads: int,
        head_dim: int,
        device: torch.device,
        dtype: torch.dtype,
        fixed: Sequence[Pair] = (),
    ) -> Rows:
        """`rows` rows of no positions yet."""
        shape = (rows, heads, CACHE_BLOCK, head_dim)
        pairs = [
            (torch.zeros(shape, device=device, dtype=dtype), torch.zeros(shape, device=device, dtype=dtype))
            for _ in range(layers)
        ]
        return cls(pairs, [0] * rows, fixed=fixed)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def slots(self) -> int:
        """Rows there is room for."""
        return self.layers[0][0].shape[0]

    @property
    def capacity(self) -> int:
        """Positions there is room for in each row."""
        return self.layers[0][0].shape[2]

    @property
    def device(self) -> torch.device:
        """Where their tokens go in: the turns are there, or else the first layer's keys."""
        return (self.layers[0][0] if self.rotary is None else self.rotary.cos).device

    def places(self, count: int) -> Tensor:
        """Where each row's next tokens go, `count` of them, [R, T] on the device."""
        if self._places is None or self._places.shape[1] != count:
            self._places = torch.tensor([range(length, length + count) for length in self.lengths], device=self.device)
        return self._places

    def visible(self, window: int | None = None, count: int = 1) -> Tensor | None:
        """What is added to the scores of the first max(lengths) + T positions by each row's next T, [R, 1, T, S].

        0 where one may look, else -inf; None: it may look everywhere. Of a mask of truths every layer would make this.
        T is `count`.
        """
        span = max(self.lengths) + count
        if count == 1 and min(self.lengths) + 1 == span and (window is None or span <= window):
            return None
        distance = self.places(count)[..., None] - torch.arange(span, device=self.device)  # [R, T, S]
        mask = torch.zeros_like(distance, dtype=self.layers[0][0].dtype)
        return mask.masked_fill_(hidden(distance, window), float("-inf"))[:, None]

    def write(self, layer: int, keys: Tensor, values: Tensor) -> Pair:
        """Put each row's next T keys and values, [R, T, K, C], in their places; views of all so far, [R, K, S, C]."""
        held_keys, held_values = self.layers[layer]
        count, new, first = len(self), keys.shape[1], self.lengths[0]
        span = max(self.lengths) + new
        if min(self.lengths) + new == span:
            held_keys[:count, :, first:span] = keys.transpose(1, 2)
            held_values[:count, :, first:span] = values.transpose(1, 2)
        else:
            rows = torch.arange(count, device=keys.device)[:, None]
            places = self.places(new).to(keys.device)
            held_keys[rows, :, places], held_values[rows, :, places] = keys, values
        return held_keys[:count, :, :span], held_values[:count, :, :span]

    def across(self, layer: int) -> Pair:
        """The fixed keys and values of a layer, [R, H, S, C]."""
        keys, values = self.fixed[layer]
        return keys[: len(self)], values[: len(self)]

    def advance(self, count: int) -> None:
        """Every row is so many positions longer: to be called when all layers have written."""
        self.lengths = [length + count for length in self.lengths]
        if self._places is not None:
            self._places = self._places + count

    def take_back(self, counts: Sequence[int]) -> None:
        """Forget so many of each row's last positions."""
        if any(counts):
            self.lengths = [length - count for length, count in zip(self.lengths, counts, strict=True)]
            self._places = None

    def reserve(self, count: int) -> None:
        """Make room for so many positions more."""
        if max(self.lengths) + count > self.capacity:
            self._resize(self.slots, max(self.lengths) + max(count, CACHE_BLOCK, self.capacity // 2))

    def join(self, other: Rows, most: int | None = None) -> None:
        """Take in the rows of `other`, behind our own. There will never be more than `most`, where that is known."""
        here, count = len(self), len(self) + len(other)
        wider = GROWTH * self.slots
        slots = self.slots if count <= self.slots else max(count, min(wider, most or wider))
        self._resize(slots, max(self.capacity, other.capacity))
        used = max(other.lengths)
        for ours, theirs in zip(self.layers, other.layers, strict=True):
            for mine, yours in zip(ours, theirs, strict=True):
                mine[here:count, :, :used] = yours[: len(other), :, :used]
                mine[here:count, :, used:] = 0  # whatever a former row has left there
        for ours, theirs in zip(self.fixed, other.fixed, strict=True):
            for mine, yours in zip(ours, theirs, strict=True):
                mine[here:count] = yours[: len(other)]
        self.lengths, self._places = self.lengths + other.lengths, None

    def drop(self, gone: Collection[int]) -> list[int]:
        """Let go of some rows. The last of those that stay move into their slots; which row is where afterwards."""
        staying = [row for row in range(len(self)) if row not in gone]
        moved = iter(row for row in staying if row >= len(staying))
        order = [place if place not in gone else next(moved) for place in range(len(staying))]
        for place, row in enumerate(order):
            if place != row:
                for held in self._tensors():
                    held[place] = held[row]
        self.lengths, self._places = [self.lengths[row] for row in order], None
        return order

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; a row may come several times."""
        index = torch.tensor(rows, device=self.device)
        self.layers = [_selected(pair, index) for pair in self.layers]
        self.fixed = [_selected(pair, index) for pair in self.fixed]
        self.lengths, self._places = [self.lengths[row] for row in rows], None

    def reorder(self, rows: Sequence[int], since: int) -> None:
        """As `select`, for as many rows as there are, all alike before the position `since`: only the rest is moved."""
        if list(rows) == list(range(len(self))):
            return
        index, used = torch.tensor(rows, device=self.device), max(self.lengths)
        for pair in self.layers:
            for held in pair:
                held[: len(rows), :, since:used] = held[:, :, since:used].index_select(0, index.to(held.device))

    def _tensors(self) -> Iterator[Tensor]:
        """All keys and values."""
        for pair in (*self.layers, *self.fixed):
            yield from pair

    def _resize(self, slots: int, room: int) -> None:
        """Move to buffers of so many slots and positions, in whole blocks; what is in use is kept.

        Nothing is changed before all memory is there.
        """
        room = -(-max(room, self.capacity) // CACHE_BLOCK) * CACHE_BLOCK
        if (slots, room) == (self.slots, self.capacity):
            return
        rotary = self.rotary
        if rotary is not None and room > self.capacity:
            rotary = rotary.longer(room)
        count, used = len(self), max(self.lengths, default=0)
        layers = [_moved(pair, count, used, (slots, pair[0].shape[1], room)) for pair in self.layers]
        if slots > self.slots:
            self.fixed = [_moved(pair, count, pair[0].shape[2], (slots, *pair[0].shape[1:3])) for pair in self.fixed]
        self.layers, self.rotary = layers, rotary


def _selected(pair: Pair, index: Tensor) -> Pair:
    """The rows of an index, in its order."""
    index = index.to(pair[0].device)
    return pair[0].index_select(0, index), pair[1].index_select(0, index)


def _moved(pair: Pair, rows: int, used: int, shape: tuple[int, ...]) -> Pair:
    """Copies of the first `rows` rows up to the position `used`, in slots of that shape."""
    keys, values = (held.new_empty((*shape, held.shape[3])) for held in pair)
    for new, old in ((keys, pair[0]), (values, pair[1])):
        new[:rows, :, :used] = old[:rows, :, :used]
        new[:rows, :, used:] = 0
    return keys, values
