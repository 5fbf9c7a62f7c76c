"""A feed-forward part over some positions at a time, so that what lies between its products stays in a cache.

D hidden size
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

POSITIONS = 512
SMALL = 2**20  # bytes of a matrix; a larger one, read anew for every slice, would cost more than is saved


def by_slices(part: Callable[[Tensor], Tensor], x: Tensor, widest: nn.Module) -> Tensor:
    """What `part` makes of each position of x, [..., D] -> [..., D]; its largest matrix is the `widest` layer's."""
    weight = getattr(widest, "weight", None)  # quantized layers have none
    positions = x.numel() // x.shape[-1]
    if positions <= POSITIONS or weight is None or weight.nbytes > SMALL or not x.is_cpu or torch.is_grad_enabled():
        return part(x)
    return torch.cat([part(piece) for piece in x.flatten(0, -2).split(POSITIONS)]).view(x.shape)
