"""Where a network lies that was loaded: the devices of its layers, and all of it in a word."""

from __future__ import annotations

import torch

from llavacli_core.checkpoint.layout import named
from llavacli_core.nn.encoder_decoder import EncoderDecoder
from llavacli_core.nn.guests import Guest
from llavacli_core.nn.llava import Llava


def cache_devices(network: Llava | EncoderDecoder) -> tuple[torch.device, ...]:
    """For each layer of the decoder, where its keys and values are."""
    devices = network.decoder.devices if isinstance(network, Llava) else None
    alone = (next(network.parameters()).device,) * network.config.decoder.num_hidden_layers
    return alone if devices is None else devices


def where(network: Llava | EncoderDecoder) -> str:
    """The devices that compute, and where layers are kept that come from elsewhere: "cuda:0-1", "cuda:0+cpu"."""
    homes = [layer.home for layer in network.decoder.blocks if isinstance(layer, Guest)]
    devices = [next(network.parameters()).device, *cache_devices(network), _end(network)]
    return named([str(device) for device in devices], homes)


def _end(network: Llava | EncoderDecoder) -> torch.device:
    """Where scores are made."""
    if isinstance(network, Llava):
        return network.decoder.norm.weight.device
    return next(network.parameters()).device
