"""Numbers to whole numbers: the codes and scales that come nearest to a matrix."""

from __future__ import annotations

import torch
from torch import Tensor

ROUNDS = 3  # of fitting scale and zero to codes and codes to them; more gain next to nothing


def to_int8(weight: Tensor) -> tuple[Tensor, Tensor]:
    """[out, in] float32 -> codes of the same shape, and a scale [out] (bfloat16): a weight is code * scale."""
    scale = _usable(weight.abs().amax(1) / 127)
    return (weight / scale.float()[:, None]).round_().clamp_(-127, 127).to(torch.int8), scale


def to_int4(weight: Tensor, group: int) -> tuple[Tensor, Tensor]:
    """[out, in] float32 -> codes 0 to 15 (int32), and scale and zero of each `group` of inputs, [out, in / group, 2].

    A weight is (code - 8) * scale + zero. From the span of a group's weights, line and codes are improved by turns: for
    given codes the best line through the weights is known, and for a given line the best codes.
    """
    x = weight.view(-1, group)
    ones = x.new_ones(group)
    low, high = x.aminmax(dim=1)
    total = x @ ones
    scale, zero = (high - low) / 15, low + (high - low) * (8 / 15)
    for again in range(ROUNDS + 1):
        stored = _usable(scale), zero.to(torch.bfloat16)  # as kernels see them
        scale, zero = stored[0].float(), stored[1].float()
        codes = torch.addcmul((-zero / scale)[:, None], x, (1 / scale)[:, None]).round_().clamp_(-8, 7)
        if again < ROUNDS:
            count, products = codes @ ones, torch.linalg.vecdot(codes, x)
            spread = group * torch.linalg.vecdot(codes, codes) - count * count
            slope = (group * products - count * total) / spread
            scale = torch.where((spread > 0) & (slope > 0), slope, scale)
            zero = (total - scale * count) / group
    return codes.add_(8).to(torch.int32).view_as(weight), torch.stack(stored, -1).view(len(weight), -1, 2)


def _usable(scale: Tensor) -> Tensor:
    """The scale in bfloat16; where there is nothing to scale, 1, by which one can divide."""
    rounded = scale.to(torch.bfloat16)
    return torch.where(rounded > 0, rounded, 1)
