"""The picture encoder of an encoder-decoder: whichever network its config describes."""

from __future__ import annotations

from llavacli_core.config import EncoderConfig, SwinConfig
from llavacli_core.nn.swin import Swin
from llavacli_core.nn.vit import VisionTransformer

Encoder = VisionTransformer | Swin  # both: (pixels [N, 3, H, W], trace) -> [N, P, D]


def build_encoder(config: EncoderConfig, kernel: str) -> Encoder:
    """The whole network, its weights uninitialised; `kernel` is how attention is computed: sdpa, flash or eager."""
    if isinstance(config, SwinConfig):
        return Swin(config, kernel=kernel)
    return VisionTransformer(config, depth=config.num_hidden_layers, kernel=kernel)
