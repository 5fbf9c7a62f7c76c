"""Weights into the network: mapped where disk and memory agree, else copied straight to their place and format."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
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
from llavacli_core.schemes import Scheme, scheme_for

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
    if placement.attention == "flash":
        raise BadOption("flash attention is not available yet", hint="sdpa or eager")
    device = choose_device(placement.device)
    scheme = scheme_for(placement.quantize, device.type)
    if scheme is not None:
        raise BadOption(f"quantization {placement.quantize!r} is not available yet", hint="leave it out")
    dtype = choose_dtype(placement.dtype, device, config.dtype)
    tensors = stored_tensors(folder)
    if not has_head(tensors, names):
        config = tied(config)
    with torch.device("meta"):  # shapes alone: nothing is allocated, nothing initialised
        network = make_network(config, "sdpa" if placement.attention == "auto" else placement.attention, whole=whole)
    plan = make_plan(network, tensors, names)
    with memory_for("the weights", device, hint="--dtype bfloat16, --device cpu, or a smaller model"):
        fill(network, plan, lambda _: device, dtype, scheme)
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


def fill(
    network: nn.Module,
    plan: Plan,
    device_of: Callable[[str], torch.device],
    dtype: torch.dtype,
    scheme: Scheme | None = None,
) -> None:
    """Give every parameter of `network` (on the meta device) its storage and its values.

    `device_of` tells where a parameter lies by its name; the matrices that `scheme` takes are quantized, one by one.
    """
    reader = Reader()
    for name, sources in by_parameter(plan).items():
        module = network.get_submodule(name.rpartition(".")[0])
        if isinstance(module, Linear) and name.endswith(".weight"):
            network.set_submodule(name.rpartition(".")[0], linear(module, sources, reader, device_of(name), dtype))
        else:
            fill_one(module, name.rpartition(".")[2], sources, reader, device_of(name), dtype)


def by_parameter(plan: Plan) -> dict[str, list[Stored]]:
    """For each parameter by its name, the tensors that fill it, in the order of its rows."""
    parts: dict[str, dict[int, Stored]] = defaultdict(dict)
    for target, stored in plan.items():
        parts[target.name][target.part] = stored
    return {name: [stored[part] for part in sorted(stored)] for name, stored in parts.items()}


def fill_one(
    module: nn.Module, name: str, sources: list[Stored], reader: Reader, device: torch.device, dtype: torch.dtype
) -> None:
    """Fill the parameter `name` of a module: with a view of the file where one tensor of the right format is all."""
    views = reader.views_of(sources, device, dtype)
    value = views[0] if len(views) == 1 else copied(getattr(module, name), sources, reader, device, dtype)
    setattr(module, name, nn.Parameter(value, requires_grad=False))


def linear(
    module: Linear, sources: list[Stored], reader: Reader, device: torch.device, dtype: torch.dtype
) -> Linear | Apart:
    """The layer with its weight: filled, or where several matrices lie in files as they shall be, made of views."""
    views = reader.views_of(sources, device, dtype)
    if len(views) > 1:
        return Apart(module, views)
    fill_one(module, "weight", sources, reader, device, dtype)
    return module


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
