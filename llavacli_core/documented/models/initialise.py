"""Random weights for a network made from a config alone."""

from __future__ import annotations

import torch
from torch import nn

from llavacli_core.nn.norms import LayerNorm, RMSNorm


@torch.no_grad()
def initialise(module: nn.Module, spread: float) -> None:
    """Norms to one and biases to zero, everything else drawn from a normal distribution of deviation `spread`."""
    for part in module.modules():
        norm = isinstance(part, (LayerNorm, RMSNorm))
        for name, parameter in part.named_parameters(recurse=False):
            if name.endswith("bias"):
                parameter.zero_()
            elif norm:
                parameter.fill_(1)
            else:
                parameter.normal_(0, spread)
