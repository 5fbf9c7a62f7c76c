"""Weights into the network: mapped where disk and memory agree, else copied straight to their place and format."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import overload

import torch
from torch import nn

from llavacli_core.checkpoint.arrange import arrange
from llavacli_core.checkpoint.files import CaptionerDescription, Description
from llavacli_core.checkpoint.footprint import form_of
from llavacli_core.checkpoint.kernel import choose_kernel
from llavacli_core.checkpoint.place import choose_device, choose_dtype, free_memory, memory_for
from llavacli_core.checkpoint.prequantized import as_stored, folded
from llavacli_core.checkpoint.quantize import check_quantization, quantized, scheme_of
from llavacli_core.checkpoint.reader import Reader, copied
from llavacli_core.checkpoint.sizes import sizes_of
from llavacli_core.checkpoint.spread import FREE_SHARE, beside_weights, spread
from llavacli_core.checkpoint.stored import Stored, stored_tensors
from llavacli_core.checkpoint.tying import tied_as_stored
from llavacli_core.checkpoint.weights import Plan, by_parameter, make_plan
from llavacli_core.config import CaptionerConfig, ModelConfig
from llavacli_core.errors import BrokenModel
from llavacli_core.families.names import Table
from llavacli_core.nn.encoder_decoder import EncoderDecoder
from llavacli_core.nn.linear import Apart, Linear
from llavacli_core.nn.llava import Llava
from llavacli_core.nn.product import reorders
from llavacli_core.nn.settling import Settling
from llavacli_core.options import Placement
from llavacli_core.schemes import BY_DEFAULT, Arithmetic, Scheme, scheme_for


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
    device = choose_device(placement.device)
    dtype = choose_dtype(placement.dtype, device, config.dtype)
    kernel = choose_kernel(placement.attention, device, dtype, config)
    tensors = folded(stored_tensors(folder))
    check_quantization(placement.quantize, device, tensors)
    config = tied_as_stored(config, tensors, names)
    try:
        with torch.device("meta"):  # shapes alone: nothing is allocated, nothing initialised
            network = make_network(config, kernel, whole=whole)
    except (RuntimeError, OverflowError) as error:  # a product of sizes that no whole number holds
        raise BrokenModel(
            f"config.json: sizes beyond all bounds ({error})", hint="the file is damaged or of another kind of model"
        ) from error
    plan = make_plan(network, tensors, names)
    layout, scheme = None, scheme_for(placement.quantize, device.type)
    form = form_of(device.type, str(dtype).removeprefix("torch."), scheme, kernel)
    if not whole:
        layout = spread(config, placement, device, form, sizes_of(network, plan, dtype.itemsize, scheme))
    filled = partial(fill, dtype=dtype, quantize=placement.quantize, arithmetic=config.arithmetic)
    with memory_for("the weights", device, hint="--dtype bfloat16 or a smaller model"):
        if layout is None or layout.whole:
            only = device if layout is None else torch.device(layout.first)
            filled(network, plan, lambda _: only)
        else:
            arrange(network, plan, layout, filled, scheme)
    if not whole:
        network.decoder.settling = settling(network, beside_weights(config, form))
    return network.eval()


def settling(network: Llava | EncoderDecoder, beside: int) -> Settling:
    """Which layers will settle: the decoder's, and all where an order of blocks gains for many rows, too.

    An embedding's rows are read, so only a tied head's does, where it stays in order. None where copies of what stays
    mapped from disk find no room with so many bytes `beside`; what is copied already takes no more.
    """

    def room() -> int:
        return int(FREE_SHARE * free_memory(torch.device("cpu"))) - beside

    decoder = network.decoder
    ordered = reorders(decoder.embedding.weight.dtype)
    plain = decoder.embedding if ordered or decoder.head is not None else None
    layers = [
        layer
        for layer in (network if ordered else decoder).modules()
        if isinstance(layer, Linear | Apart) and layer is not plain
    ]
    mapped = [weight for layer in layers if layer.mapped for weight in layer.parameters() if weight.is_cpu]
    return Settling(layers, room) if sum(weight.nbytes for weight in mapped) <= room() else Settling()


def make_network(config: ModelConfig | CaptionerConfig, kernel: str, *, whole: bool = False) -> Llava | EncoderDecoder:
    """The network that a config describes, its weights uninitialised."""
    if isinstance(config, CaptionerConfig):
        return EncoderDecoder(config, kernel=kernel)
    return Llava(config, kernel=kernel, whole=whole)


def fill(
    network: nn.Module,
    plan: Plan,
    device_of: Callable[[str], torch.device],
    dtype: torch.dtype,
    quantize: str | Scheme | None = None,
    arithmetic: Arithmetic = BY_DEFAULT,
) -> None:
    """Give every parameter of `network` (on the meta device) its storage and its values.

    `device_of` tells where a parameter lies by its name. Matrices are quantized one by one; `arithmetic` is that of
    those which the checkpoint holds in bitsandbytes' forms.
    """
    reader = Reader()
    for name, sources in by_parameter(plan).items():
        owner, _, own_name = name.rpartition(".")
        module, device = network.get_submodule(owner), device_of(name)
        if not isinstance(module, Linear) or own_name != "weight":
            fill_one(module, own_name, sources, reader, device, dtype)
        elif any(source.quantized for source in sources):
            network.set_submodule(owner, as_stored(module, sources, reader, device, dtype, arithmetic))
        elif scheme := scheme_of(name, module, sources, scheme_for(quantize, device.type)):
            network.set_submodule(owner, quantized(module, sources, reader, device, dtype, scheme))
        else:
            network.set_submodule(owner, linear(module, sources, reader, device, dtype))


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
    module.mapped = bool(views)
    fill_one(module, "weight", sources, reader, device, dtype)
    return module
