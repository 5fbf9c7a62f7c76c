"""Normalisation layers, without the random initialisation that torch's own would spend on weights to be loaded."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RMSNorm(nn.Module):
    """Root-mean-square norm (Zhang & Sennrich 2019) over the last dimension."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.shape = (size,)
        self.eps = eps
        self.weight = nn.Parameter(torch.empty(size))

    def forward(self, x: Tensor) -> Tensor:
        """[..., size] -> the same shape."""
        return F.rms_norm(x, self.shape, self.weight, self.eps)


class LayerNorm(nn.Module):
    """Layer norm (Ba et al. 2016) over the last dimension."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.shape = (size,)
        self.eps = eps
        self.weight = nn.Parameter(torch.empty(size))
        self.bias = nn.Parameter(torch.empty(size))

    def forward(self, x: Tensor) -> Tensor:
        """[..., size] -> the same shape."""
        return F.layer_norm(x, self.shape, self.weight, self.bias, self.eps)
