"""One more token for each of some rows: the decoder as straight-line tensor operations, without module calls.

As `Step` for one row. What a batch spends on a small model's step is the host's overhead and the reading of keys and
values; it equals `Decoder.forward` at each row's position up to rounding (tests/nn/test_rows.py).

R rows  D hidden size  H heads  K key-value heads  C head dim  S positions  V vocabulary
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from llavacli_core.nn.attention import attend
from llavacli_core.nn.rows import Rows
from llavacli_core.nn.step import Arithmetic, Product, RowNorm

if TYPE_CHECKING:
    from llavacli_core.nn.decoder import Decoder
    from llavacli_core.nn.linear import Linear


class RowsStep(Arithmetic):
    """The step of many rows."""

    def __init__(self, decoder: Decoder) -> None:
        on_cpu = decoder.embedding.weight.device.type == "cpu"  # elsewhere torch's own norm is one kernel
        super().__init__(decoder, RowNorm if on_cpu else lambda norm: norm, of_some)

    def __call__(self, tokens: Tensor, rows: Rows) -> Tensor:
        """Append the ids `tokens`, [R], one to each row; scores of the next ones, [R, V]."""
        assert rows.rotary is not None
        self.blocking.tick()
        rows.reserve()
        cos, sin = rows.rotary.cos[rows.positions], rows.rotary.sin[rows.positions]  # [R, 1, C]
        masks = {window: rows.visible(window) for window in {layer.window for layer in self.layers}}
        turning, swap = self.heads + self.kv_heads, self.head_dim // 2
        x = self.embedding.index_select(0, tokens)  # [R, D]
        for index, layer in enumerate(self.layers):
            qkv = layer.qkv(layer.attention_norm(x)).view(len(x), -1, self.head_dim)  # [R, H + 2 K, C]
            qk = qkv[:, :turning]
            qk = torch.addcmul(qk * cos, qk.roll(swap, -1), sin)
            keys, values = rows.write(index, qk[:, self.heads :], qkv[:, turning:])  # [R, K, S, C]
            q = qk[:, : self.heads, None]  # [R, H, 1, C]
            y = attend(q, keys, values, masks[layer.window], causal=False, kernel=self.kernel)
            x = x + layer.out(y.reshape(len(x), -1))
            gate, up = layer.gate_up(layer.mlp_norm(x)).chunk(2, dim=-1)
            x = x + layer.down(layer.act(gate).mul_(up))
        rows.advance()
        return self.head(self.norm(x))


def of_some(linear: Linear) -> Product:
    """The product of some rows, [R, in] -> [R, out]; a single one goes by the faster way."""
    one, many = linear.row, linear.forward

    def apply(x: Tensor) -> Tensor:
        return one(x[0])[None] if x.shape[0] == 1 else many(x)

    return apply
