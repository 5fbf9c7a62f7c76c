"""Keys and values of several rows, each with a length of its own: what a batch or a beam search decodes with.

R rows  K key-value heads  C head dim  S positions
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from llavacli_core.nn.rotary import Rotary

BLOCK = 256  # positions


class Rows:
    """Every layer's keys and values, [R, K, capacity, C] each; row r is in use up to `lengths[r]`, the rest is finite.

    `fixed` layers' worth of further pairs (a captioner's cross-attention, whose keys come from the picture) may ride
    along: they are never written to, and follow their rows.
    """

    def __init__(
        self,
        layers: Sequence[tuple[Tensor, Tensor]],
        length: int,
        *,
        fixed: Sequence[tuple[Tensor, Tensor]] = (),
        rotary: Rotary | None = None,
    ) -> None:
        """Take over one or more rows of the same `length`; positions beyond it are room.

        `rotary` holds the turns of that room, for decoders that turn.
        """
        self.layers = list(layers)
        self.fixed = list(fixed)
        self.rotary = rotary
        self.lengths = [length] * self.layers[0][0].shape[0]
        self._positions: Tensor | None = None

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
        fixed: Sequence[tuple[Tensor, Tensor]] = (),
    ) -> Rows:
        """`rows` rows of no positions yet."""
        shape = (rows, heads, BLOCK, head_dim)
        pairs = [
            (torch.zeros(shape, device=device, dtype=dtype), torch.zeros(shape, device=device, dtype=dtype))
            for _ in range(layers)
        ]
        return cls(pairs, 0, fixed=fixed)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def capacity(self) -> int:
        """Positions there is room for."""
        return self.layers[0][0].shape[2]

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.layers[0][0].device

    @property
    def positions(self) -> Tensor:
        """Where each row's next token goes, [R] on the device."""
        if self._positions is None:
            self._positions = torch.tensor(self.lengths, device=self.device)
        return self._positions

    def visible(self, window: int | None = None) -> Tensor | None:
        """Which of the first max(lengths) + 1 positions each row's next token may see, [R, 1, 1, S]; None: all."""
        span = max(self.lengths) + 1
        if min(self.lengths) + 1 == span and (window is None or span <= window):
            return None
        distance = self.positions[:, None] - torch.arange(span, device=self.device)
        mask = distance >= 0 if window is None else (distance >= 0) & (distance < window)
        return mask[:, None, None]

    def write(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Put each row's next key and value, [R, K, C], in its place; views of all so far, [R, K, S, C]."""
        held_keys, held_values = self.layers[layer]
        span, first = max(self.lengths) + 1, self.lengths[0]
        if min(self.lengths) + 1 == span:
            held_keys[:, :, first], held_values[:, :, first] = keys, values
        else:
            rows = torch.arange(len(self), device=self.device)
            held_keys[rows, :, self.positions], held_values[rows, :, self.positions] = keys, values
        return held_keys[:, :, :span], held_values[:, :, :span]

    def advance(self) -> None:
        """Every row is one position longer: to be called when all layers have written."""
        self.lengths = [length + 1 for length in self.lengths]
        if self._positions is not None:
            self._positions = self._positions + 1

    def reserve(self) -> None:
        """Make room for one position more."""
        if max(self.lengths) >= self.capacity:
            self._resize(max(self.lengths) + max(BLOCK, self.capacity // 2))

    def join(self, other: Rows) -> None:
        """Take in the rows of `other`, behind our own."""
        room = max(self.capacity, other.capacity)
        self._resize(room)
        other._resize(room)
        self.layers = [_stacked(ours, theirs) for ours, theirs in zip(self.layers, other.layers, strict=True)]
        self.fixed = [_stacked(ours, theirs) for ours, theirs in zip(self.fixed, other.fixed, strict=True)]
        self.lengths, self._positions = self.lengths + other.lengths, None

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; a row may come several times."""
        index = torch.tensor(rows, device=self.device)
        self.layers = [(keys.index_select(0, index), values.index_select(0, index)) for keys, values in self.layers]
        self.fixed = [(keys.index_select(0, index), values.index_select(0, index)) for keys, values in self.fixed]
        self.lengths, self._positions = [self.lengths[row] for row in rows], None

    def reorder(self, rows: Sequence[int], since: int) -> None:
        """As `select`, for as many rows as there are, all alike before the position `since`: only the rest is moved."""
        if list(rows) == list(range(len(self))):
            return
        index, used = torch.tensor(rows, device=self.device), max(self.lengths)
        for pair in self.layers:
            for held in pair:
                held[:, :, since:used] = held[:, :, since:used].index_select(0, index)

    def _resize(self, room: int) -> None:
        """Move to buffers of `room` positions, in whole blocks; what is in use is kept."""
        room = -(-room // BLOCK) * BLOCK
        if room <= self.capacity:
            return
        used = max(self.lengths)
        grown = []
        for pair in self.layers:
            wider = tuple(held.new_zeros((*held.shape[:2], room, held.shape[3])) for held in pair)
            for old, new in zip(pair, wider, strict=True):
                new[:, :, :used] = old[:, :, :used]
            grown.append((wider[0], wider[1]))
        self.layers = grown
        self.rotary = None if self.rotary is None else self.rotary.longer(room)


def _stacked(ours: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return torch.cat((ours[0], theirs[0])), torch.cat((ours[1], theirs[1]))
