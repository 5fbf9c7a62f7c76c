"""Activation functions under the names that config.json gives them."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from llavacli_core.nn.product import has_amx


def quick_gelu(x: Tensor) -> Tensor:
    """GELU by a sigmoid, as CLIP was trained with."""
    if x.requires_grad:
        return x * torch.sigmoid(1.702 * x)
    gate = (1.702 * x).sigmoid_()
    if has_amx(x.dtype) and x.is_cpu:
        return x * gate  # there a product in place takes twice as long (2.13)
    return gate.mul_(x)  # the same in fresh memory for one, which on a CPU is most of what it costs


TANH_SCALE = 2 * math.sqrt(2 / math.pi)
TANH_CUBE = 0.044715


def tanh_gelu(x: Tensor) -> Tensor:
    """GELU by a tanh (Hendrycks & Gimpel 2016): x (1 + tanh u) / 2, which is x sigmoid(2 u).

    On a CPU torch computes a tanh in three times as long as a sigmoid; in 16 bits one rounding matters more.
    """
    if x.requires_grad or x.device.type != "cpu" or x.dtype != torch.float32:
        return F.gelu(x, approximate="tanh")
    scale = torch.tensor(TANH_SCALE)
    return torch.addcmul(scale, x, x, value=TANH_SCALE * TANH_CUBE).mul_(x).sigmoid_().mul_(x)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_pytorch_tanh": tanh_gelu,
    "quick_gelu": quick_gelu,
    "relu": F.relu,
    "silu": F.silu,
    "tanh": torch.tanh,
}
