"""Products with a matrix of weights, by the way that is fastest on this processor.

For a few rows that way is oneDNN's operator; weights in bfloat16 it reads 1.4 x as fast in an order of its own, blocks
of what one instruction multiplies, into which `nn.settling` puts them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

ROWS = 16  # below, converting the weights costs more than it saves
# In float32 oneDNN is faster than MKL (AMD): up to FEW rows by up to 2.7 x, where a matrix is LARGE enough for the 12
# microseconds that its call takes more; and with AVX-512 in products that are `long` enough: on Zen 4 by 1.08 x, on
# Zen 5, whose vectors MKL fills by half, by 2.2 x.
FEW = 128
LARGE = 2**20  # bytes of a matrix
LONG, LONGER = 2**20, 2**23  # multiplications, where it is faster by MUCH and where it is not
MUCH = 1.4
TRIALS = 8  # a tenth of a millisecond each


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
    rows = x.numel() // x.shape[-1]
    if weight.is_mkldnn or (x.dtype == torch.float32 and gains(x, weight, rows=rows)):
        return _by_onednn(x, weight, bias)
    if bias is not None and has_amx(x.dtype) and x.is_cpu and not torch.is_grad_enabled():
        return _by_onednn(x, weight, bias)  # `F.linear` copies the bias to every row before it multiplies
    if not widens(x, rows):
        return F.linear(x, weight, bias)
    return product(x.float(), weight.float(), None if bias is None else bias.float()).to(x.dtype)


def row_product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The same for one row, [in] -> [out], which is bound by reading W."""
    if weight.is_mkldnn or gains(x, weight):
        return _by_onednn(x, weight, bias)
    y = torch.mv(weight, x)
    return y if bias is None else y.add_(bias)


def _by_onednn(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Their product by oneDNN's operator, which knows no gradients and takes numbers of a bias as they lie."""
    bias = None if bias is None else bias.contiguous()
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")  # type: ignore[no-any-return]


def gains(x: Tensor, weight: Tensor, *, rows: int = 1) -> bool:
    """Whether their product is faster by oneDNN."""
    if not (rows <= FEW and weight.nbytes >= LARGE) and rows * weight.numel() < long():
        return False
    return weight.is_cpu and not torch.is_grad_enabled() and prefers_onednn(x.dtype)


@cache
def long() -> float:
    """Multiplications from which oneDNN repays its call by its speed alone, which a trial tells; with AVX-512 only."""
    if torch.backends.cpu.get_cpu_capability() != "AVX512" or not prefers_onednn(torch.float32):
        return math.inf
    x, weight = torch.ones(FEW, 256), torch.ones(256, 256)
    seconds = {way: min(_timed(way, x, weight) for _ in range(TRIALS)) for way in (F.linear, _by_onednn)}
    return LONG if seconds[F.linear] > MUCH * seconds[_by_onednn] else LONGER


def _timed(way: Callable[[Tensor, Tensor, None], Tensor], x: Tensor, weight: Tensor) -> float:
    """Seconds of one product."""
    start = time.perf_counter()
    way(x, weight, None)
    return time.perf_counter() - start


@cache
def prefers_onednn(dtype: torch.dtype) -> bool:
    """Whether oneDNN is the faster one for few rows in a format on this processor.

    With AMX, `mv` reads weights in bfloat16 as fast as memory gives them; without AVX-512, oneDNN has no such products.
    """
    if dtype == torch.bfloat16 and (has_amx(dtype) or not torch.ops.mkldnn._is_mkldnn_bf16_supported()):
        return False
    return dtype in (torch.bfloat16, torch.float32) and _is_there(dtype)


@cache
def has_amx(dtype: torch.dtype) -> bool:
    """Whether this processor multiplies tiles of a format (AMX): so fast that memory is what counts."""
    return dtype == torch.bfloat16 and torch.cpu._is_amx_tile_supported() and _is_there(dtype)


def _is_there(dtype: torch.dtype) -> bool:
    """Whether oneDNN's operator multiplies in a format as is believed of it, on x86."""
    if torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        return False
    ones = torch.ones(16, 16, dtype=dtype)
    try:
        return bool((_by_onednn(ones, reordered(ones), ones[0]) == 17).all())
    except (AttributeError, RuntimeError):  # oneDNN switched off, or a torch without these operators
        return False


def reorders(dtype: torch.dtype) -> bool:
    """Whether weights of a format are to be put into oneDNN's order. In float32 that gains nothing."""
    return dtype == torch.bfloat16 and prefers_onednn(dtype)


def reordered(weight: Tensor) -> Tensor:
    """A matrix [out, in] in oneDNN's order, which `product` alone can read."""
    return torch.ops.mkldnn._reorder_linear_weight(weight, 1)  # type: ignore[no-any-return]


def convolution(x: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, int]) -> Tensor:
    """Patches under a kernel: [N, channels, H, W] -> [N, out, H / stride, W / stride], in x's format."""
    if not widens(x, x.shape[-1]):
        return F.conv2d(x, weight, bias, stride=stride)
    return F.conv2d(x.float(), weight.float(), None if bias is None else bias.float(), stride=stride).to(x.dtype)
