"""A feed-forward part over some positions at a time, so that what lies between its products stays in a cache.

Or at least in memory that is used again: pages of tensors beyond 32 MB are the system's, fetched and cleared each time.

D hidden size
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from llavacli_core.nn.product import has_amx
from llavacli_core.portions import SLICE, SMALL_MATRIX


def by_slices(part: Callable[[Tensor], Tensor], x: Tensor, widest: nn.Module, *, large: int = SLICE) -> Tensor:
    """What `part` makes of each position of x, [..., D] -> [..., D]; its largest matrix is the `widest` layer's.

    `large`: how many positions are best at a time where the matrices are large.
    """
    matrices = [weight for weight in widest.parameters() if weight.dim() == 2]  # quantized layers have none
    positions = x.numel() // x.shape[-1]
    if positions <= SLICE or not matrices or not x.is_cpu or torch.is_grad_enabled():
        return part(x)
    at_once = SLICE
    if sum(weight.nbytes for weight in matrices) > SMALL_MATRIX:
        at_once = large if all(_reads_lightly(weight) for weight in matrices) else positions
    if positions <= at_once:
        return part(x)
    pieces = x.flatten(0, -2).chunk(-(-positions // at_once))  # equal ones: a short one reads the matrix, too
    return torch.cat([part(piece) for piece in pieces]).view(x.shape)


def _reads_lightly(matrix: Tensor) -> bool:
    """Whether reading a matrix costs little beside its products with a slice: in oneDNN's order, or by tiles."""
    return matrix.is_mkldnn or has_amx(matrix.dtype)
