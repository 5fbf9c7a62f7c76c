"""Weights settle where the processor reads them fastest, once a network has begun to generate.

In bfloat16 that may be oneDNN's order of blocks. Else it is memory of their own: pages of a mapped file are small, and
matrices that lie apart in it take a product each. One row is read 1.1 to 1.4 x as fast from there.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice

import torch
from torch import Tensor, nn

from llavacli_core.nn.linear import Apart, Linear
from llavacli_core.nn.product import LARGE, reordered, reorders
from llavacli_core.sizes import FIRST_WORDS

TOKENS = 16  # over which it is spread: all at once would be a pause in the middle of an answer


class Settling:
    """Settles layers, some with each token once the first words are told."""

    def __init__(self, layers: Sequence[Linear | Apart] = ()) -> None:
        self._layers = iter(layers)
        self._at_once = -(-len(layers) // TOKENS)
        self._until = FIRST_WORDS

    def tick(self) -> None:
        """One more token will be generated."""
        if self._until > 1:
            self._until -= 1
        else:
            for layer in islice(self._layers, self._at_once):
                with suppress(OSError):  # no room by now: it stays where it is
                    settle(layer)


def settle(layer: Linear | Apart) -> None:
    """Settle a layer's matrices, as one; where they are in blocks nothing but products can read them then."""
    weights = list(layer.weights) if isinstance(layer, Apart) else [layer.weight]
    if (one := _settled(weights, mapped=layer.mapped)) is None:
        return
    layer.mapped = False
    if isinstance(layer, Apart):
        layer.weights = nn.ParameterList([one])
    else:
        layer.weight = one


def _settled(weights: list[Tensor], *, mapped: bool) -> nn.Parameter | None:
    """Matrices that follow one another as a single one that has settled, or None where that gains nothing."""
    first = weights[0]
    if first.device.type != "cpu" or first.is_mkldnn or first.requires_grad:
        return None
    in_order = reorders(first.dtype)
    if not (in_order or mapped) or sum(weight.nbytes for weight in weights) < LARGE:
        return None
    if in_order:
        one = reordered(torch.cat(weights) if len(weights) > 1 else first)
    else:
        one = torch.cat(weights, out=in_large_pages(sum(map(len, weights)), first.shape[1], first.dtype))
    for weight in weights if mapped else ():
        release(weight)
    return nn.Parameter(one, requires_grad=False)


def in_large_pages(rows: int, columns: int, dtype: torch.dtype) -> Tensor:
    """An uninitialised matrix in memory for which the system is asked for large pages, if it has any."""
    memory = mmap.mmap(-1, rows * columns * dtype.itemsize)
    if sys.platform == "linux":
        with suppress(OSError):  # a kernel without them
            memory.madvise(mmap.MADV_HUGEPAGE)
    return torch.frombuffer(memory, dtype=dtype).view(rows, columns)


def release(view: Tensor) -> None:
    """Let go of the pages of a mapped file's tensor that have been read; they would be read anew."""
    if sys.platform == "linux" and _is_in_a_file(view.data_ptr()):
        start = -(-view.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
        length = (view.data_ptr() + view.nbytes - start) // mmap.PAGESIZE * mmap.PAGESIZE
        if length > 0:
            ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), mmap.MADV_DONTNEED)


def _is_in_a_file(address: int) -> bool:
    """Whether a file is mapped there: what is in memory alone would be lost, as of a file in torch's old form."""
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            span, _, _, _, inode, *_ = line.split()
            first, behind = (int(end, 16) for end in span.split("-"))
            if first <= address < behind:
                return inode != "0"
    return False
