"""A linear layer whose weight may be several of a checkpoint's matrices, stacked: one product instead of three."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Linear(nn.Module):
    """y = x W^T + b. `parts` are the output sizes of the matrices that are stacked in W, in order."""

    def __init__(self, in_features: int, *parts: int, bias: bool) -> None:
        super().__init__()
        self.parts = parts
        self.weight = nn.Parameter(torch.empty(sum(parts), in_features))
        self.bias = nn.Parameter(torch.empty(sum(parts))) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., sum(parts)]."""
        return F.linear(x, self.weight, self.bias)

    def row(self, x: Tensor) -> Tensor:
        """One row, [in] -> [sum(parts)]: bound by reading W, which `mv` does up to 1.6 x as fast on a CPU."""
        y = torch.mv(self.weight, x)
        return y if self.bias is None else y.add_(self.bias)
