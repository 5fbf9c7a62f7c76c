"""Random weights for a network made from a config alone."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import nn

from llavacli_core.nn.norms import LayerNorm, RMSNorm


@torch.no_grad()
def initialise(module: nn.Module, spread: float, constants: Mapping[str, float] = MappingProxyType({})) -> None:
    """Norms to one and biases to zero, parameters named in `constants` to these, the rest normal with `spread`."""
    for part in module.modules():
        norm = isinstance(part, (LayerNorm, RMSNorm))
        for name, parameter in part.named_parameters(recurse=False):
            if name.endswith("bias"):
                parameter.zero_()
            elif norm or name in constants:
                parameter.fill_(constants.get(name, 1))
            else:
                parameter.normal_(0, spread)
