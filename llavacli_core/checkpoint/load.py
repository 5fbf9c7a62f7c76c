"""Weights into the network: mapped where disk and memory agree, else copied straight to their place and format."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import overload

import torch
from torch import Tensor, nn

from llavacli_core.checkpoint.files import CaptionerDescription, Description
from llavacli_core.checkpoint.place import choose_device, choose_dtype, memory_for
from llavacli_core.checkpoint.stored import Stored, Tensors, open_weights, stored_tensors
from llavacli_core.checkpoint.weights import Plan, has_head, make_plan
from llavacli_core.config import CaptionerConfig, ModelConfig
from llavacli_core.errors import BadOption
from llavacli_core.families.names import Table
from llavacli_core.nn.encoder_decoder import EncoderDecoder
from llavacli_core.nn.linear import Apart, Linear
from llavacli_core.nn.llava import Llava
from llavacli_core.options import Placement

REMAP_BYTES = 64 * 2**20
MAP_BYTES = 2**20  # below this a copy costs nothing, and stacked matrices make one product instead of three


@overload
def load_network(folder: Path, description: Description, placement: Placement, *, whole: bool = False) -> Llava: ...
@overload
def load_network(
    folder: Path, description: CaptionerDescription, placement: Placement, *, whole: bool = False
) -> EncoderDecoder: ...
def load_network(
    folder: Path, description: Description | CaptionerDescription, placement: Placement, *, whole: bool = False
) -> Llava | EncoderDecoder:
    """The checkpoint's network, its weights in place, ready for inference; LLaVA's tower in part or `whole`."""
    return load_weights(folder, description.model, description.names, placement, whole=whole)


def load_weights(
    folder: Path, config: ModelConfig | CaptionerConfig, names: Table, placement: Placement, *, whole: bool = False
) -> Llava | EncoderDecoder:
    """The network of a config, filled from the folder's weights, whose places `names` tells."""
    if placement.quantize not in (None, "none"):
        raise BadOption(f"quantization {placement.quantize!r} is not available yet", hint="leave it out")
    if placement.attention == "flash":
        raise BadOption("flash attention is not available yet", hint="sdpa or eager")
    device = choose_device(placement.device)
    dtype = choose_dtype(placement.dtype, device, config.dtype)
    tensors = stored_tensors(folder)
    if not has_head(tensors, names):
        config = tied(config)
    with torch.device("meta"):  # shapes alone: nothing is allocated, nothing initialised
        network = make_network(config, "sdpa" if placement.attention == "auto" else placement.attention, whole=whole)
    plan = make_plan(network, tensors, names)
    with memory_for("the weights", device, hint="--dtype bfloat16, --device cpu, or a smaller model"):
        fill(network, plan, device, dtype)
    return network.eval()


def make_network(config: ModelConfig | CaptionerConfig, kernel: str, *, whole: bool = False) -> Llava | EncoderDecoder:
    """The network that a config describes, its weights uninitialised."""
    if isinstance(config, CaptionerConfig):
        return EncoderDecoder(config, kernel=kernel)
    return Llava(config, kernel=kernel, whole=whole)


def tied(config: ModelConfig | CaptionerConfig) -> ModelConfig | CaptionerConfig:
    """The same with a head that is the embedding."""
    if isinstance(config, CaptionerConfig):
        return replace(config, decoder=replace(config.decoder, tie_word_embeddings=True))
    return replace(config, decoder=replace(config.decoder, tie_word_embeddings=True))


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
