"""Readers of `vision_config`: CLIP and SigLIP, each with its class's defaults for the keys a file leaves out."""

from __future__ import annotations

from llavacli_core.config import VisionConfig
from llavacli_core.errors import UnsupportedModel
from llavacli_core.families.activations import activation
from llavacli_core.families.decoders import MOST_LAYERS
from llavacli_core.families.keys import Keys

TOWERS = ("clip_vision_model", "siglip_vision_model")

# What LlavaConfig assumes when there is no vision_config at all: CLIP-L/14 at 336 pixels.
CLIP_LARGE_336 = {
    "model_type": "clip_vision_model",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
}


def tower_type(keys: Keys) -> str:
    """The tower's model_type; CLIP where config.json does not say."""
    name = keys.get("model_type", default="clip_vision_model")
    if name not in TOWERS:
        raise UnsupportedModel(
            f"{keys.where}: the vision tower {name!r} is not supported", hint=f"known towers: {', '.join(TOWERS)}"
        )
    return str(name)


def read_tower(keys: Keys) -> VisionConfig:
    """`vision_config` in any of its published forms."""
    if not keys.values:
        keys = Keys(CLIP_LARGE_336, keys.where)
    clip = tower_type(keys) == "clip_vision_model"
    hidden_size = keys.integer("hidden_size", default=768)
    heads = keys.integer("num_attention_heads", default=12)
    if hidden_size % heads:
        raise keys.fault("num_attention_heads", f"a divisor of hidden_size, {hidden_size}", heads)
    image_size = keys.integer("image_size", default=224)
    patch_size = keys.integer("patch_size", default=32 if clip else 16, most=image_size)
    return VisionConfig(
        hidden_size=hidden_size,
        intermediate_size=keys.integer("intermediate_size", default=3072),
        num_hidden_layers=keys.integer("num_hidden_layers", default=12, most=MOST_LAYERS),
        num_attention_heads=heads,
        image_size=(image_size, image_size),
        patch_size=(patch_size, patch_size),
        num_channels=channels(keys),
        hidden_act=activation(keys, "hidden_act", default="quick_gelu" if clip else "gelu_pytorch_tanh"),
        layer_norm_eps=keys.number("layer_norm_eps", default=1e-5 if clip else 1e-6),
        class_token=clip,
        distillation_token=False,
        position_embeddings=True,
        relative_position_bias=False,
        shared_relative_position_bias=False,
        pre_layernorm=clip,
        final_layernorm=False,  # LLaVA takes hidden states from before it
        layer_scale=False,
        patch_bias=not clip,
        qkv_bias=True,
        key_bias=True,
    )


def channels(keys: Keys) -> int:
    """The colour channels that the network expects: the three that every picture here has."""
    count = keys.integer("num_channels", default=3)
    if count != 3:
        raise UnsupportedModel(f"{keys.where}: a network for pictures of {count} channels is not supported")
    return count
