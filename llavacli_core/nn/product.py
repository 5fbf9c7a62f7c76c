"""Products of many rows on processors that have the 16-bit formats in memory, but no arithmetic in them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

ROWS = 16  # below, converting the weights costs more than it saves


def widens(x: Tensor, rows: int) -> bool:
    """Whether `rows` rows of x's format are multiplied faster in float32, weights converted on the way.

    On a CPU without AVX-512 torch has only a loop for them (2.13, AVX2, a 4864 x 896 matrix of bfloat16 and 600 rows:
    370 ms; converted and multiplied in float32, 58 ms). One row is bound by reading the weights, and stays.
    """
    if x.device.type != "cpu" or x.dtype.itemsize != 2 or rows < ROWS or not torch.backends.mkldnn.is_available():
        return False
    if x.dtype == torch.bfloat16:
        return not torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return not torch.ops.mkldnn._is_mkldnn_fp16_supported()


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x W^T + b: [..., in] -> [..., out], in x's format."""
    if not widens(x, x.numel() // x.shape[-1]):
        return F.linear(x, weight, bias)
    return F.linear(x.float(), weight.float(), None if bias is None else bias.float()).to(x.dtype)


def convolution(x: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, int]) -> Tensor:
    """Patches under a kernel: [N, channels, H, W] -> [N, out, H / stride, W / stride], in x's format."""
    if not widens(x, x.shape[-1]):
        return F.conv2d(x, weight, bias, stride=stride)
    return F.conv2d(x.float(), weight.float(), None if bias is None else bias.float(), stride=stride).to(x.dtype)
