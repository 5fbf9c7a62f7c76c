"""One more token, for one row, in shapes that never change: what a CUDA graph records once and replays for each token.

`Step` takes its position from the host and looks at so many keys. Here the position is a tensor, keys and values are
written to where it says, and attention goes over the whole room of the cache, masked by it. The two are equal up to
rounding (tests/nn/test_static_step.py).

D hidden size  H heads  K key-value heads  G heads of a group  C head dim  S room of the cache  V vocabulary
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from llavacli_core.nn.attention import hidden
from llavacli_core.nn.cache import KVCache
from llavacli_core.nn.step import Arithmetic, of_one
from llavacli_core.portions import CACHE_BLOCK

if TYPE_CHECKING:
    from llavacli_core.nn.decoder import Decoder


class StaticStep(Arithmetic):
    """The step of one row. Nothing in it asks the host for a number that changes from token to token."""

    def __init__(self, decoder: Decoder) -> None:
        # torch's own norm is one kernel on a device, where `RowNorm` would be four.
        super().__init__(decoder, lambda norm: norm, of_one)

    def __call__(self, token: Tensor, position: Tensor, cache: KVCache) -> Tensor:
        """Write the id `token` [1, 1] into the cache at `position` [1]; scores of the next, [1, V].

        The cache's `length` is neither read nor changed, and there must be room.
        """
        cos, sin = (
            cache.rotary.cos.index_select(0, position)[0],
            cache.rotary.sin.index_select(0, position)[0],
        )  # [1, C]
        distance = position - torch.arange(cache.capacity, device=position.device)  # [S]
        masks = {window: self._mask(distance, window) for window in {layer.window for layer in self.layers}}
        turning, swap = self.heads + self.kv_heads, self.head_dim // 2
        x = self.embedding.index_select(0, token[0])[0]  # [D]
        for layer, held in zip(self.layers, cache.layers, strict=True):
            qkv = layer.qkv(layer.attention_norm(x)).view(-1, self.head_dim)  # [H + 2 K, C]
            qk = qkv[:turning]
            qk = torch.addcmul(qk * cos, qk.roll(swap, -1), sin)
            held.keys.index_copy_(2, position, qk[None, self.heads :, None])
            held.values.index_copy_(2, position, qkv[None, turning:, None])
            q = qk[: self.heads].view(self.kv_heads, -1, self.head_dim)  # [K, G, C]
            y = attend_over_room(q, held.keys[0], held.values[0], masks[layer.window])  # [K, G, C]
            x = x + layer.out(y.reshape(-1))
            gate, up = layer.gate_up(layer.mlp_norm(x)).chunk(2)
            x = x + layer.down(layer.act(gate).mul_(up))
        return self.head(self.norm(x))[None]

    def _mask(self, distance: Tensor, window: int | None) -> Tensor:
        """What is added to the scores of keys so far back, [S]: 0, or -inf to those ahead or out of the window."""
        mask = torch.zeros_like(distance, dtype=self.embedding.dtype)
        return mask.masked_fill_(hidden(distance, window), float("-inf"))


def attend_over_room(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """Queries [K, G, C] over keys and values [K, S, C], with `mask` [S] added to their scores -> [K, G, C].

    Two products and a softmax, rather than one call of torch's attention: with a mask that has no kernel on CUDA that
    shares the keys of a head among several processors, and one query has few heads (a Qwen2 four) for many processors.
    Here the first product is spread over the keys, and the second over blocks of them, whose sums are added.
    Room that is not in use must be finite all the same: nothing times NaN is NaN.
    """
    heads, room, size = keys.shape
    scores = torch.baddbmm(mask, query, keys.transpose(1, 2), alpha=size**-0.5)  # [K, G, S]
    weights = scores.softmax(-1)  # added up in float32 whatever the format, as the sums below
    blocks = weights.unflatten(2, (-1, CACHE_BLOCK)).transpose(1, 2)  # [K, S / 256, G, 256]
    blocks = blocks.reshape(-1, query.shape[1], CACHE_BLOCK)
    sums = torch.bmm(blocks, values.reshape(-1, CACHE_BLOCK, size)).view(heads, room // CACHE_BLOCK, -1, size)
    return sums.sum(1)
