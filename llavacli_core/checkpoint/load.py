"""Weights into the network: mapped where disk and memory agree, else copied straight to their place and format."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from llavacli_core.checkpoint.files import Description
from llavacli_core.checkpoint.place import choose_device, choose_dtype, memory_for
from llavacli_core.checkpoint.stored import Stored, Tensors, open_weights, stored_tensors
from llavacli_core.checkpoint.weights import Plan, has_head, make_plan
from llavacli_core.errors import BadOption
from llavacli_core.nn.linear import Apart, Linear
from llavacli_core.nn.llava import Llava
from llavacli_core.options import Placement

REMAP_BYTES = 64 * 2**20
MAP_BYTES = 2**20  # below this a copy costs nothing, and stacked matrices make one product instead of three


def load_network(folder: Path, description: Description, placement: Placement, *, whole: bool = False) -> Llava:
    """The checkpoint's network, its weights in place, ready for inference; its tower in part or `whole`."""
    if placement.quantize not in (None, "none"):
        raise BadOption(f"quantization {placement.quantize!r} is not available yet", hint="leave it out")
    if placement.attention == "flash":
        raise BadOption("flash attention is not available yet", hint="sdpa or eager")
    device = choose_device(placement.device)
    dtype = choose_dtype(placement.dtype, device, description.model.dtype)
    table = description.family.names
    tensors = stored_tensors(folder)
    config = description.model
    tied = config.decoder.tie_word_embeddings or not has_head(tensors, table)
    config = replace(config, decoder=replace(config.decoder, tie_word_embeddings=tied))
    with torch.device("meta"):  # shapes alone: nothing is allocated, nothing initialised
        kernel = "sdpa" if placement.attention == "auto" else placement.attention
        network = Llava(config, kernel=kernel, whole=whole)
    plan = make_plan(network, tensors, table)
    with memory_for("the weights", device, hint="--dtype bfloat16, --device cpu, or a smaller model"):
        fill(network, plan, device, dtype)
    return network.eval()


def fill(network: nn.Module, plan: Plan, device: torch.device, dtype: torch.dtype) -> None:
    """Give every parameter of `network` (on the meta device) its storage and its values."""
    reader = Reader()
    by_parameter: dict[str, dict[int, Stored]] = defaultdict(dict)
    for target, stored in plan.items():
        by_parameter[target.name][target.part] = stored
    for path, parts in by_parameter.items():
        owner, _, name = path.rpartition(".")
        module = network.get_submodule(owner)
        sources = [parts[part] for part in sorted(parts)]
        mapped = [reader.mapped(source, dtype) for source in sources] if device.type == "cpu" else [None]
        views = [view for view in mapped if view is not None]
        if len(views) < len(sources) or sum(view.nbytes for view in views) < MAP_BYTES:
            value = copied(getattr(module, name), sources, reader, device, dtype)
            setattr(module, name, nn.Parameter(value, requires_grad=False))
        elif len(views) == 1:
            setattr(module, name, nn.Parameter(views[0], requires_grad=False))
        elif isinstance(module, Linear):
            network.set_submodule(owner, Apart(module, views))


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

    def copy(self, stored: Stored, into: Tensor) -> None:
        """Copy the tensor to where it shall be, converting on the way."""
        if stored.file not in self.copies:
            self.copies[stored.file] = open_weights(stored.file)
        tensor = self.copies[stored.file].tensor(stored.name)
        into.copy_(tensor.T if stored.transposed else tensor.view(stored.shape))
        self.copied += into.nbytes
        if self.copied > REMAP_BYTES:
            self.copies.clear()
            self.copied = 0
