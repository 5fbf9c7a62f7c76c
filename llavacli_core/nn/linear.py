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
        weight = self.weight
        # One row in bfloat16 is bound by reading W, which a CPU's matrix-vector product does 1.6 x as fast.
        if x.numel() == weight.shape[1] and x.dtype == torch.bfloat16 and x.device.type == "cpu":
            y = torch.mv(weight, x.reshape(-1)).view(*x.shape[:-1], -1)
            return y if self.bias is None else y + self.bias
        return F.linear(x, weight, self.bias)
