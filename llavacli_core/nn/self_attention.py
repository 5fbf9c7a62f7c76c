"""Attention among all positions of an encoder, with a learned bias by distance where the network has one.

N pictures or windows  P positions  H heads  D hidden size
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from llavacli_core.nn.attention import attend
from llavacli_core.nn.linear import Linear, each


class SelfAttention(nn.Module):
    """Every position looks at every other. With `key_bias` false, only queries and values have one (BEiT)."""

    def __init__(self, size: int, heads: int, *, bias: bool, key_bias: bool, kernel: str) -> None:
        super().__init__()
        self.heads, self.kernel = heads, kernel
        self.qkv = Linear(size, size, size, size, bias=bias and key_bias)
        keyless = bias and not key_bias
        self.query_bias = nn.Parameter(torch.empty(size)) if keyless else None
        self.value_bias = nn.Parameter(torch.empty(size)) if keyless else None
        self.out = Linear(size, size, bias=True)

    def forward(self, x: Tensor, bias: Tensor | None = None, weights: list[Tensor] | None = None) -> Tensor:
        """[N, P, D] -> [N, P, D]; `bias` is added to the scores [N, H, P, P], `weights` gets them after the softmax."""
        pictures, positions, size = x.shape
        q, k, v = each(self.qkv, x)
        if self.query_bias is not None and self.value_bias is not None:
            q, v = q + self.query_bias, v + self.value_bias
        q, k, v = (y.view(pictures, positions, self.heads, -1).transpose(1, 2) for y in (q, k, v))  # [N, H, P, C]
        y = attend(q, k, v, bias, causal=False, kernel=self.kernel, weights=weights)
        return self.out(y.transpose(1, 2).reshape(pictures, positions, size))  # type: ignore[no-any-return]


class RelativePositionBias(nn.Module):
    """For each head, what is added to the score of two patches so far apart in a grid of at most `rows` x `cols`.

    With `class_token`, three more rows of the table: from [CLS] to a patch, from a patch to [CLS], [CLS] to itself.
    """

    def __init__(self, rows: int, cols: int, heads: int, *, class_token: bool) -> None:
        super().__init__()
        self.rows, self.cols, self.class_token = rows, cols, class_token
        self.table = nn.Parameter(torch.empty((2 * rows - 1) * (2 * cols - 1) + 3 * class_token, heads))

    def forward(self, rows: int, cols: int) -> Tensor:
        """The bias for a grid of `rows` x `cols` patches, [1, H, P, P]."""
        down, across = torch.arange(rows, device=self.table.device), torch.arange(cols, device=self.table.device)
        y, x = (axis.flatten() for axis in torch.meshgrid(down, across, indexing="ij"))  # [rows * cols]
        index = (y[:, None] - y + self.rows - 1) * (2 * self.cols - 1) + x[:, None] - x + self.cols - 1
        if self.class_token:
            last = len(self.table)
            index = nn.functional.pad(index, (1, 0, 1, 0))
            index[0, :], index[:, 0], index[0, 0] = last - 3, last - 2, last - 1
        return self.table[index].permute(2, 0, 1)[None].contiguous()
