"""A feed-forward part over some positions at a time, so that what lies between its products stays in a cache.

Or at least in memory that is used again: pages of tensors beyond 32 MB are the system's, fetched and cleared each time.

D hidden size
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

POSITIONS = 512
SMALL = 2**20  # bytes of a matrix; a larger one, read anew for every slice, gains only where it lies in oneDNN's order


def by_slices(part: Callable[[Tensor], Tensor], x: Tensor, widest: nn.Module) -> Tensor:
    """What `part` makes of each position of x, [..., D] -> [..., D]; its largest matrix is the `widest` layer's."""
    matrices = [weight for weight in widest.parameters() if weight.dim() == 2]  # quantized layers have none
    positions = x.numel() // x.shape[-1]
    if positions <= POSITIONS or not matrices or not x.is_cpu or torch.is_grad_enabled():
        return part(x)
    if sum(weight.nbytes for weight in matrices) > SMALL and not all(weight.is_mkldnn for weight in matrices):
        return part(x)
    pieces = x.flatten(0, -2).chunk(-(-positions // POSITIONS))  # equal ones: a short one reads the matrix, too
    return torch.cat([part(piece) for piece in pieces]).view(x.shape)
