"""The next token or tokens of some rows: the decoder as straight-line tensor operations, without module calls.

As `Step` for one row. What a batch spends on a small model's step is the host's overhead and the reading of keys and
values; it equals `Decoder.forward` at each row's position up to rounding (tests/nn/test_rows.py).

R rows  T tokens for each  D hidden size  H heads  K key-value heads  C head dim  S positions  V vocabulary
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from llavacli_core.nn.attention import attend
from llavacli_core.nn.norms import RowNorm
from llavacli_core.nn.rows import Rows
from llavacli_core.nn.step import Arithmetic, Product

if TYPE_CHECKING:
    from llavacli_core.nn.decoder import Decoder
    from llavacli_core.nn.linear import Linear


class RowsStep(Arithmetic):
    """The step of many rows."""

    def __init__(self, decoder: Decoder) -> None:
        on_cpu = decoder.embedding.weight.device.type == "cpu"  # elsewhere torch's own norm is one kernel
        super().__init__(decoder, RowNorm if on_cpu else lambda norm: norm, of_some)

    def __call__(self, tokens: Tensor, rows: Rows) -> Tensor:
        """Append the ids `tokens`, [R, T], to the rows; scores of what follows each, [R, T, V]."""
        assert rows.rotary is not None
        self.settling.tick()
        count, new = tokens.shape
        rows.reserve(new)
        places = rows.places(new)
        cos, sin = rows.rotary.cos[places], rows.rotary.sin[places]  # [R, T, 1, C]
        masks = {window: rows.visible(window, new) for window in {layer.window for layer in self.layers}}
        turning, swap = self.heads + self.kv_heads, self.head_dim // 2
        x = self.embedding.index_select(0, tokens.flatten())  # [R T, D]
        for index, layer in enumerate(self.layers):
            qkv = layer.qkv(layer.attention_norm(x)).view(count, new, -1, self.head_dim)  # [R, T, H + 2 K, C]
            qk = qkv[:, :, :turning]
            qk = torch.addcmul(qk * cos, qk.roll(swap, -1), sin)
            keys, values = rows.write(index, qk[:, :, self.heads :], qkv[:, :, turning:])  # [R, K, S, C]
            q = qk[:, :, : self.heads].transpose(1, 2)  # [R, H, T, C]
            y = attend(q, keys, values, masks[layer.window], causal=False, kernel=self.kernel)
            x = x + layer.out(y.transpose(1, 2).reshape(len(x), -1))
            gate, up = layer.gate_up(layer.mlp_norm(x)).chunk(2, dim=-1)
            x = x + layer.down(layer.act(gate).mul_(up))
        rows.advance(new)
        return self.head(self.norm(x)).view(count, new, -1)


def of_some(linear: Linear) -> Product:
    """The product of some vectors, [N, in] -> [N, out]; a single one goes by the faster way."""
    one, many = linear.row, linear.forward

    def apply(x: Tensor) -> Tensor:
        return one(x[0])[None] if x.shape[0] == 1 else many(x)

    return apply
