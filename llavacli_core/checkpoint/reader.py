"""Tensors out of mapped files: as views where disk and memory agree, else copied straight to their place and format."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from llavacli_core.checkpoint.stored import Stored, Tensors, open_weights
from llavacli_core.portions import REMAP_BYTES

MAP_BYTES = 2**20  # below this a copy costs nothing, and stacked matrices make one product instead of three


def copied(shape: Tensor, sources: list[Stored], reader: Reader, device: torch.device, dtype: torch.dtype) -> Tensor:
    """A tensor of `shape`'s shape on the device, filled row after row from what is stored."""
    value = torch.empty(shape.shape, dtype=dtype, device=device)
    for source, rows in zip(sources, value.split([source.shape[0] for source in sources]), strict=True):
        reader.copy(source, rows)
    return value


class Reader:
    """Reads tensors from mapped files, and lets go of the maps so that pages already copied do not pile up."""

    def __init__(self) -> None:
        self.views: dict[Path, Tensors] = {}  # for tensors that stay mapped; their maps live as long as they do
        self.copies: dict[Path, Tensors] = {}
        self.copied = 0

    def views_of(self, sources: list[Stored], device: torch.device, dtype: torch.dtype) -> list[Tensor]:
        """The tensors as views of their files, if that serves all of them and spares enough; else none."""
        if device.type != "cpu":
            return []
        views = [view for view in (self.mapped(source, dtype) for source in sources) if view is not None]
        whole = len(views) == len(sources) and sum(view.nbytes for view in views) >= MAP_BYTES
        return views if whole else []

    def mapped(self, stored: Stored, dtype: torch.dtype) -> Tensor | None:
        """The tensor as a view of its file, without a copy; None when it is stored in another form or format."""
        if stored.transposed:
            return None
        if stored.file not in self.views:
            self.views[stored.file] = open_weights(stored.file)
        tensor = self.views[stored.file].tensor(stored.name).view(stored.shape)
        # A view may start anywhere in the file; kernels want at least the alignment of their elements.
        aligned = tensor.data_ptr() % dtype.itemsize == 0
        return tensor if tensor.dtype == dtype and aligned else None

    def copy(self, stored: Stored, into: Tensor, start: int = 0) -> None:
        """Copy the tensor, or as many of its rows as `into` has, from `start` on, converting on the way."""
        tensor = self.tensor(stored)
        into.copy_((tensor.T if stored.transposed else tensor.view(stored.shape))[start : start + len(into)])
        self.copied += into.nbytes

    def tensor(self, stored: Stored) -> Tensor:
        """A view of the tensor as it lies on disk, to be read at once."""
        if self.copied > REMAP_BYTES:
            self.copies.clear()
            self.copied = 0
        if stored.file not in self.copies:
            self.copies[stored.file] = open_weights(stored.file)
        return self.copies[stored.file].tensor(stored.name)
