"""Normalisation layers, without the random initialisation that torch's own would spend on weights to be loaded."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

AT_ONCE = 2**18  # numbers normalised at a time, so that their float32 stays in a cache: x 8 at 2,376 positions of 4,096


class RMSNorm(nn.Module):
    """Root-mean-square norm (Zhang & Sennrich 2019) over the last dimension."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.shape = (size,)
        self.eps = eps
        self.weight = nn.Parameter(torch.empty(size))

    def forward(self, x: Tensor) -> Tensor:
        """[..., size] -> the same shape."""
        if x.is_cpu and x.numel() > AT_ONCE and not torch.is_grad_enabled():
            return self._by_slices(x)
        return F.rms_norm(x, self.shape, self.weight, self.eps)

    def _by_slices(self, x: Tensor) -> Tensor:
        """The same, some positions at a time: torch makes several tensors of x's size in float32. As `RowNorm`.

        In 16 bits the norm is rounded before it is multiplied by the weight, as in the reference.
        """
        (size,) = self.shape
        root, floor = size**0.5, torch.tensor((self.eps * size) ** 0.5, device=x.device)
        y = x.new_empty(x.shape)
        positions = max(1, AT_ONCE // size)
        for piece, target in zip(x.reshape(-1, size).split(positions), y.view(-1, size).split(positions), strict=True):
            wide = piece.float() if piece.dtype.itemsize < 4 else piece
            length = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
            target.copy_(wide * torch.hypot(length, floor).reciprocal_().mul_(root)).mul_(self.weight)
        return y


class RowNorm:
    """RMSNorm in four operations, where torch's own takes seven on a CPU.

    rms(x) = sqrt((|x|^2 + eps D) / D) = hypot(|x|, sqrt(eps D)) / sqrt(D), and the last root goes into the weight.
    """

    def __init__(self, norm: RMSNorm) -> None:
        size = norm.weight.shape[0]
        self.weight: Tensor = norm.weight * float(size**0.5)
        self.floor = torch.tensor((norm.eps * size) ** 0.5, device=norm.weight.device)

    def __call__(self, x: Tensor) -> Tensor:
        """[..., D] -> [..., D]; the length is summed in float32 whatever the format."""
        length: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        return (x * self.weight).div_(torch.hypot(length, self.floor))


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
