"""The KV cache: a value owned by whoever generates, preallocated, grown in blocks, cut back at will."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from llavacli_core.config import DecoderConfig
from llavacli_core.nn.rotary import Rotary
from llavacli_core.nn.rows import Rows
from llavacli_core.portions import CACHE_BLOCK


class LayerCache:
    """One layer's keys and values, [B, K, capacity, C] each; what lies past the end in use is rubbish."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        self.keys = keys
        self.values = values

    def extend(self, start: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write [B, K, T, C] at `start`; give back views of all up to there: [B, K, start + T, C]."""
        end = start + keys.shape[2]
        self.keys[:, :, start:end] = keys
        self.values[:, :, start:end] = values
        return self.keys[:, :, :end], self.values[:, :, :end]


class KVCache:
    """Keys and values of every layer for `length` positions, with room for more, and the turns of that room.

    A layer's lie on the one of `devices` that is its own; without these, all on `device`, where the turns are.
    """

    def __init__(
        self,
        config: DecoderConfig,
        *,
        device: torch.device,
        dtype: torch.dtype,
        batch: int = 1,
        room: int = CACHE_BLOCK,
        devices: Sequence[torch.device] | None = None,
    ) -> None:
        self.config, self.device, self.dtype, self.batch = config, device, dtype, batch
        self.devices = [device] * config.num_hidden_layers if devices is None else devices
        self.length = 0
        self.moves = 0  # how often its buffers have become others
        self.layers: list[LayerCache] = []
        self._allocate(room)

    @property
    def capacity(self) -> int:
        """Positions there is room for."""
        return self.layers[0].keys.shape[2]

    def reserve(self, length: int, *, geometric: bool = True) -> None:
        """Make room for `length` positions in all, in whole blocks; what is in use is kept.

        Growth is geometric, for those who come back for each position; who comes once gets what was asked for.
        """
        if length > self.capacity:
            self._allocate(max(length, self.capacity + self.capacity // 2) if geometric else length)

    def truncate(self, length: int) -> None:
        """Forget all positions from `length` on."""
        self.length = min(self.length, length)

    def begin_with(self, other: KVCache, length: int, *, row: int = 0) -> None:
        """Hold in every row what the first `length` positions of a row of `other` hold, and nothing else."""
        self.reserve(length)
        for ours, theirs in zip(self.layers, other.layers, strict=True):
            ours.extend(0, theirs.keys[row : row + 1, :, :length], theirs.values[row : row + 1, :, :length])
        self.length = length

    def rows(self, lengths: Sequence[int] | None = None) -> Rows:
        """The same positions as rows that may go on apart. The buffers are shared: one of the two is to be dropped.

        `lengths` are given where what follows in a row is padding.
        """
        for layer in self.layers:
            for held in (layer.keys, layer.values):
                held[:, :, self.length :] = 0  # masked places count nothing, but nothing times NaN is NaN
        pairs = [(layer.keys, layer.values) for layer in self.layers]
        return Rows(pairs, [self.length] * self.batch if lengths is None else lengths, rotary=self.rotary)

    def _allocate(self, room: int) -> None:
        """Move to buffers of at least `room` positions. Nothing is changed before all memory is there."""
        room = -(-room // CACHE_BLOCK) * CACHE_BLOCK
        shape = (self.batch, self.config.num_key_value_heads, room, self.config.head_dim)
        layers = [
            LayerCache(*(torch.empty(shape, device=device, dtype=self.dtype) for _ in range(2)))
            for device in self.devices
        ]
        rotary = Rotary(self.config, room, self.device, self.dtype)
        for new, old in zip(layers, self.layers, strict=False):  # at first there are none
            new.extend(0, old.keys[:, :, : self.length], old.values[:, :, : self.length])
        self.layers, self.rotary = layers, rotary
        self.moves += 1
