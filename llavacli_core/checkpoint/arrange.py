"""A layout carried out: each part filled on its device, and guests kept where the layout has them."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial

import torch
from torch import Tensor, nn

from llavacli_core.checkpoint.layout import MEMORY, Layout
from llavacli_core.checkpoint.parts import BEHIND, block_of
from llavacli_core.checkpoint.sizes import schemes_of
from llavacli_core.checkpoint.weights import Plan
from llavacli_core.nn.decoder import Decoder
from llavacli_core.nn.guests import Ferry, Fetch, Guest
from llavacli_core.schemes import Scheme

Fill = Callable[[nn.Module, Plan, Callable[[str], torch.device]], None]  # a network, its weights, and where they go

PAGE = 4096


def arrange(network: nn.Module, plan: Plan, layout: Layout, fill: Fill, scheme: Scheme | None = None) -> None:
    """Give `network` (on the meta device) its weights by a layout that leaves at least one part in another place.

    `scheme` is what `fill` quantizes in.
    """
    residents = {target: stored for target, stored in plan.items() if block_of(target.name) < layout.residents}
    fill(network, residents, lambda name: device_of(name, layout))
    decoder = network.get_submodule("decoder")
    if isinstance(decoder, Decoder):
        decoder.unrecorded = "its layers lie on several devices, or come and go"
        decoder.devices = tuple(canonical(device) for device in layout.blocks)
        if layout.guests:
            _invite(network, decoder, plan, layout, fill, scheme)


def device_of(name: str, layout: Layout) -> torch.device:
    """Where a parameter lies."""
    block = block_of(name)
    if block >= 0:
        return canonical(layout.blocks[block])
    return canonical(layout.last if name.startswith(BEHIND) else layout.first)


def canonical(device: str) -> torch.device:
    """A device as tensors name theirs: mps is mps:0."""
    return torch.device(device, 0) if device == "mps" else torch.device(device)


def _invite(
    network: nn.Module, decoder: Decoder, plan: Plan, layout: Layout, fill: Fill, scheme: Scheme | None
) -> None:
    """Put guests in the place of the last layers."""
    device = canonical(layout.blocks[-1])
    fetches: list[Fetch] = []
    schemes: list[frozenset[str]] = []
    for index, home in enumerate(layout.guests, start=layout.residents):
        own = {target: stored for target, stored in plan.items() if block_of(target.name) == index}
        schemes.append(schemes_of(network, own, scheme))
        fetch = partial(_filled, decoder.blocks[index].eval(), index, own, device, fill)
        fetches.append(partial(_copied, _kept(fetch()), device) if home == MEMORY else fetch)
    ferry = Ferry(fetches, device)
    for place, home in enumerate(layout.guests):
        decoder.blocks[layout.residents + place] = Guest(ferry, place, home, schemes[place])


def _filled(blank: nn.Module, index: int, plan: Plan, device: torch.device, fill: Fill) -> nn.Module:
    """A layer made from its files; where its weights are views of these, their pages are read at once."""
    layers = nn.ModuleDict({str(index): deepcopy(blank)})
    fill(nn.ModuleDict({"decoder": nn.ModuleDict({"blocks": layers})}), plan, lambda _: device)
    layer = layers[str(index)]
    if device.type == "cpu":
        for weight in layer.parameters():
            weight.detach().flatten()[:: PAGE // weight.element_size()].sum()
    return layer


def _kept(layer: nn.Module) -> nn.Module:
    """The layer in the computer's memory, from where a GPU can fetch it while it computes."""
    pin = torch.cuda.is_available()
    return _mapped(layer, lambda tensor: tensor.cpu().pin_memory() if pin else tensor.cpu().clone())


def _copied(layer: nn.Module, device: torch.device) -> nn.Module:
    """The layer on a device; on CUDA it is there when the stream has got so far."""
    return _mapped(layer, lambda tensor: tensor.to(device, non_blocking=True))


def _mapped(layer: nn.Module, change: Callable[[Tensor], Tensor]) -> nn.Module:
    """A copy of the layer with what `change` makes of its tensors."""
    memo: dict[int, object] = {}
    for tensor in layer.parameters():
        memo[id(tensor)] = nn.Parameter(change(tensor.detach()), requires_grad=False)
    memo |= {id(buffer): change(buffer) for buffer in layer.buffers()}
    return deepcopy(layer, memo)
