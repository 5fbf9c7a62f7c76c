"""One more token, for one row: the decoder as straight-line tensor operations, without a module call between them.

Generating spends its life here, and on a CPU with a small model the host's own overhead is most of it: this way costs
less than half of `Decoder.forward` at one position, which it equals up to rounding (tests/nn/test_step.py).

D hidden size  H heads  K key-value heads  C head dim  S positions  V vocabulary
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from llavacli_core.nn.attention import attend
from llavacli_core.nn.cache import KVCache
from llavacli_core.nn.norms import RMSNorm, RowNorm
from llavacli_core.nn.product import LARGE

if TYPE_CHECKING:
    from llavacli_core.nn.decoder import Block, Decoder
    from llavacli_core.nn.linear import Linear

Product = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Layer:
    """What one layer's arithmetic needs, looked up beforehand."""

    attention_norm: Product
    qkv: Product
    out: Product
    mlp_norm: Product
    gate_up: Product
    down: Product
    act: Callable[[Tensor], Tensor]
    window: int | None


def layers_of(
    blocks: Sequence[Block], norm: Callable[[RMSNorm], Product], product: Callable[[Linear], Product]
) -> list[Layer]:
    """The blocks' arithmetic, with `norm` in the place of each of their norms, and `product` in that of each matrix."""
    return [
        Layer(
            attention_norm=norm(block.attention_norm),
            qkv=product(block.attention.qkv),
            out=product(block.attention.out),
            mlp_norm=norm(block.mlp_norm),
            gate_up=product(block.mlp.gate_up),
            down=product(block.mlp.down),
            act=block.mlp.act,
            window=block.attention.window,
        )
        for block in blocks
    ]


class Arithmetic:
    """What the steps of one decoder need, looked up once its weights are in place."""

    def __init__(
        self, decoder: Decoder, norm: Callable[[RMSNorm], Product], product: Callable[[Linear], Product]
    ) -> None:
        config = decoder.config
        self.settling = decoder.settling
        self._words = decoder.embedding
        self.heads, self.kv_heads, self.head_dim = (
            config.num_attention_heads,
            config.num_key_value_heads,
            config.head_dim,
        )
        self.layers = layers_of(cast("list[Block]", decoder.blocks), norm, product)
        self.kernel = decoder.kernel
        self.norm = norm(decoder.norm)
        self.head = product(decoder.embedding if decoder.head is None else decoder.head)

    @property
    def embedding(self) -> Tensor:
        """[V, D], wherever it is by now: a tied one settles."""
        return self._words.weight


def of_one(linear: Linear) -> Product:
    """The product of one row, [in] -> [out]; a small matrix's by the shortest way there is."""
    weight, bias = getattr(linear, "weight", None), linear.bias
    if weight is None or bias is not None or weight.is_mkldnn or weight.nbytes >= LARGE:
        return linear.row
    return weight.mv  # type: ignore[no-any-return]


class Step(Arithmetic):
    """The step of one row."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__(decoder, RowNorm, of_one)

    def __call__(self, token: Tensor, cache: KVCache) -> Tensor:
        """Append the id `token`, of shape [1, 1], to the cache; scores of the next, [1, V]."""
        self.settling.tick()
        position = cache.length
        cache.reserve(position + 1)
        cos, sin = cache.rotary.cos[position], cache.rotary.sin[position]  # [1, C]
        turning, swap = self.heads + self.kv_heads, self.head_dim // 2
        x = self.embedding.index_select(0, token[0])[0]  # [D]
        for layer, held in zip(self.layers, cache.layers, strict=True):
            qkv = layer.qkv(layer.attention_norm(x)).view(-1, self.head_dim)  # [H + 2 K, C]
            qk = qkv[:turning]
            qk = torch.addcmul(qk * cos, qk.roll(swap, -1), sin)
            held.keys[0, :, position] = qk[self.heads :]
            held.values[0, :, position] = qkv[turning:]
            start = 0 if layer.window is None else max(0, position + 1 - layer.window)
            k, v = held.keys[:, :, start : position + 1], held.values[:, :, start : position + 1]  # [1, K, S, C]
            y = attend(qk[None, : self.heads, None], k, v, None, causal=False, kernel=self.kernel)  # [1, H, 1, C]
            x = x + layer.out(y.reshape(-1))
            gate, up = layer.gate_up(layer.mlp_norm(x)).chunk(2)
            x = x + layer.down(layer.act(gate).mul_(up))
        cache.length = position + 1
        return self.head(self.norm(x))[None]
