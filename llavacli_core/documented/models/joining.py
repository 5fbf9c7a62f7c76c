"""An encoder and a decoder become a captioner's network."""

from __future__ import annotations

from typing import Any

import torch

from llavacli_core.documented.configs.multimodal import VisionEncoderDecoderConfig
from llavacli_core.documented.models.encoders import CLASSES as ENCODERS
from llavacli_core.documented.models.encoders import VisionEncoder
from llavacli_core.documented.models.initialise import initialise
from llavacli_core.documented.models.text_decoders import CLASSES as DECODERS
from llavacli_core.documented.models.text_decoders import CausalDecoder
from llavacli_core.errors import UnsupportedModel
from llavacli_core.families.captioners import vision_encoder_decoder
from llavacli_core.nn.encoder_decoder import EncoderDecoder


def encoder_class(config: Any) -> type[VisionEncoder]:
    """The class for an encoder's config."""
    return _class_of(config, ENCODERS)  # type: ignore[no-any-return]


def decoder_class(config: Any) -> type[CausalDecoder]:
    """The class for a decoder's config."""
    return _class_of(config, DECODERS)  # type: ignore[no-any-return]


def joined(config: VisionEncoderDecoderConfig, encoder: VisionEncoder, decoder: CausalDecoder) -> EncoderDecoder:
    """The network of both, their weights shared; what brings the one's states to the other's size is random."""
    with torch.device("meta"):
        network = EncoderDecoder(vision_encoder_decoder(config.to_dict()))
    network.encoder, network.decoder = encoder.network, decoder.network
    if network.projection is not None:
        network.projection.to_empty(device=decoder.device).to(decoder.dtype)
        initialise(network.projection, decoder.config.to_dict().get("initializer_range", 0.02))
    return network


def _class_of(config: Any, classes: dict[str, Any]) -> Any:
    """The class for a config's model_type."""
    if config.model_type not in classes:
        raise UnsupportedModel(
            f"no part of a captioner is a {config.model_type!r}", hint=f"known: {', '.join(classes)}"
        )
    return classes[config.model_type]
