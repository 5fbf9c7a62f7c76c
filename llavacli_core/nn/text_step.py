"""The next token or tokens of some rows: the text decoder as straight-line tensor operations, without module calls.

Captioners are small, and generating spends its life here. It equals `TextDecoder.forward` up to rounding.

R rows  T tokens for each  D hidden size  H heads  C head dim  S positions  V vocabulary
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from torch import Tensor

from llavacli_core.nn.attention import attend
from llavacli_core.nn.rows import Rows
from llavacli_core.nn.rows_step import of_some

if TYPE_CHECKING:
    from llavacli_core.nn.text_decoder import Block, TextDecoder

Function = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Layer:
    """What one layer's arithmetic needs, looked up beforehand."""

    attention_norm: Function
    qkv: Function
    out: Function
    cross_norm: Function
    query: Function
    cross_out: Function
    mlp_norm: Function
    up: Function
    act: Function
    down: Function
    factor: float


class TextStep:
    """The step of one decoder, made once its weights are in place."""

    def __init__(self, decoder: TextDecoder) -> None:
        config = decoder.config
        self.settling = decoder.settling
        self.decoder = decoder
        self.heads, self.head_dim, self.pre_norm = config.num_attention_heads, config.head_dim, config.pre_norm
        self.layers = [_layer(block) for block in cast("list[Block]", decoder.blocks)]
        self.norm: Function | None = None if decoder.norm is None else decoder.norm.forward
        self.words = of_some(decoder.embedding if decoder.head is None else decoder.head)

    def __call__(self, tokens: Tensor, rows: Rows) -> Tensor:
        """Append the ids `tokens`, [R, T], to the rows; scores of what follows each, [R, T, V]."""
        self.settling.tick()
        new = tokens.shape[1]
        rows.reserve(new)
        mask = rows.visible(count=new)
        places = self.decoder.positions.next_rows(tokens, rows.places(new))
        x = self.decoder.place(self.decoder.words(tokens), places).flatten(0, 1)  # [R T, D]
        for index, layer in enumerate(self.layers):
            if self.pre_norm:
                x = x + self._look_back(layer, layer.attention_norm(x), index, rows, mask)
                x = x + self._look_across(layer, layer.cross_norm(x), *rows.across(index))
                x = x + layer.down(layer.act(layer.up(layer.mlp_norm(x))))
            else:
                x = layer.attention_norm(x + self._look_back(layer, x, index, rows, mask))
                x = layer.cross_norm(x + self._look_across(layer, x, *rows.across(index)))
                x = layer.mlp_norm(x + layer.down(layer.act(layer.up(x))))
        rows.advance(new)
        x = x if self.norm is None else self.norm(x)
        transform = self.decoder.transform
        scores = self.words(x) if transform is None else self.words(transform(x)).add_(transform.bias)
        return scores.view(*tokens.shape, -1)

    def _look_back(self, layer: Layer, x: Tensor, index: int, rows: Rows, mask: Tensor | None) -> Tensor:
        """[R T, D] -> [R T, D], and the rows' new keys and values written."""
        q, k, v = layer.qkv(x).view(len(rows), -1, 3, self.heads, self.head_dim).unbind(2)  # [R, T, H, C] each
        return layer.out(self._attend(layer, q, *rows.write(index, k, v), mask))  # looking at [R, H, S, C]

    def _look_across(self, layer: Layer, x: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """[R T, D] -> [R T, D], looking at [R, H, S, C]."""
        q = layer.query(x).view(len(keys), -1, self.heads, self.head_dim)
        return layer.cross_out(self._attend(layer, q, keys, values, None))

    def _attend(self, layer: Layer, q: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """Queries [R, T, H, C] -> what they see, [R T, D]."""
        q = q if layer.factor == 1 else q * layer.factor
        y = attend(q.transpose(1, 2), keys, values, mask, causal=False, kernel=self.decoder.kernel)
        return y.transpose(1, 2).flatten(2).flatten(0, 1)


def _layer(block: Block) -> Layer:
    """One layer's functions."""
    return Layer(
        attention_norm=block.attention_norm.forward,
        qkv=of_some(block.attention.qkv),
        out=of_some(block.attention.out),
        cross_norm=block.cross_norm.forward,
        query=of_some(block.cross.query),
        cross_out=of_some(block.cross.out),
        mlp_norm=block.mlp_norm.forward,
        up=of_some(block.up),
        act=block.act,
        down=of_some(block.down),
        factor=block.attention.factor,
    )
