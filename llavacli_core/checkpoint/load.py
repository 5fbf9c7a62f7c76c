"""Weights into the network: mapped where disk and memory agree, else copied straight to their place and format."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

from llavacli_core.checkpoint.files import Description
from llavacli_core.checkpoint.place import choose_device, choose_dtype
from llavacli_core.checkpoint.weights import Plan, Stored, has_head, make_plan, stored_tensors
from llavacli_core.errors import BadOption, OutOfMemory
from llavacli_core.nn.linear import Linear
from llavacli_core.nn.llava import Llava
from llavacli_core.options import Placement

REMAP_BYTES = 64 * 2**20


def load_network(folder: Path, description: Description, placement: Placement) -> Llava:
    """The checkpoint's network, its weights in place, ready for inference."""
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
        network = Llava(config, kernel="sdpa" if placement.attention == "auto" else placement.attention)
    plan = make_plan(network, tensors, table)
    try:
        fill(network, plan, device, dtype)
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(
            f"the weights do not fit into the memory of {device}", hint="--dtype bfloat16, or --device cpu"
        ) from error
    return network.eval()


def fill(network: nn.Module, plan: Plan, device: torch.device, dtype: torch.dtype) -> None:
    """Give every parameter of `network` (on the meta device) its storage and its values."""
    reader = Reader()
    by_parameter: dict[str, dict[int, Stored]] = defaultdict(dict)
    for target, stored in plan.items():
        by_parameter[target.name][target.part] = stored
    for path, sources in by_parameter.items():
        owner, _, name = path.rpartition(".")
        module = network.get_submodule(owner)
        value = None
        if len(sources) == 1 and device.type == "cpu":
            value = reader.mapped(sources[0], dtype)
        if value is None:
            parameter = getattr(module, name)
            value = torch.empty(parameter.shape, dtype=dtype, device=device)
            rows = module.parts if isinstance(module, Linear) else (parameter.shape[0],)
            for part, piece in enumerate(value.split(rows)):
                reader.copy(sources[part], piece)
        setattr(module, name, nn.Parameter(value, requires_grad=False))


class Reader:
    """Reads tensors from mapped files, and lets go of the maps so that pages already copied do not pile up."""

    def __init__(self) -> None:
        self.views: dict[Path, safe_open] = {}  # for tensors that stay mapped; their maps live as long as they do
        self.copies: dict[Path, safe_open] = {}
        self.copied = 0

    def mapped(self, stored: Stored, dtype: torch.dtype) -> Tensor | None:
        """The tensor as a view of its file, without a copy; None when it is stored in another format."""
        if stored.file not in self.views:
            self.views[stored.file] = safe_open(stored.file, "pt")
        tensor: Tensor = self.views[stored.file].get_tensor(stored.name)
        # A view may start anywhere in the file; kernels want at least the alignment of their elements.
        aligned = tensor.data_ptr() % dtype.itemsize == 0
        return tensor if tensor.dtype == dtype and aligned else None

    def copy(self, stored: Stored, into: Tensor) -> None:
        """Copy the tensor to where it shall be, converting on the way."""
        if stored.file not in self.copies:
            self.copies[stored.file] = safe_open(stored.file, "pt")
        into.copy_(self.copies[stored.file].get_tensor(stored.name))
        self.copied += into.nbytes
        if self.copied > REMAP_BYTES:
            self.copies.clear()
            self.copied = 0
