"""Readers of a captioner's `encoder` section: ViT, DeiT, BEiT, Swin, each with its class's defaults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from llavacli_core.config import EncoderConfig, SwinConfig, VisionConfig
from llavacli_core.errors import UnsupportedModel
from llavacli_core.families.activations import activation
from llavacli_core.families.decoders import MOST_LAYERS
from llavacli_core.families.keys import Keys
from llavacli_core.families.towers import channels

MOST_STAGES = 8  # each doubles the hidden size


def read_encoder(keys: Keys) -> EncoderConfig:
    """The `encoder` section, or the config.json of an encoder alone."""
    return READERS[encoder_type(keys)](keys)


def encoder_type(keys: Keys) -> str:
    """The encoder's model_type; UnsupportedModel for one that is not known."""
    name = keys.get("model_type")
    if not isinstance(name, str) or name not in READERS:
        raise UnsupportedModel(
            f"{keys.where}: the encoder {name!r} is not supported", hint=f"known encoders: {', '.join(READERS)}"
        )
    return name


def _vit(keys: Keys) -> VisionConfig:
    """ViT: [CLS], learned positions, a norm at the end."""
    size = keys.integer("hidden_size", default=768)
    heads = keys.integer("num_attention_heads", default=12)
    if size % heads:
        raise keys.fault("num_attention_heads", f"a divisor of hidden_size, {size}", heads)
    image_size, patch_size = _picture(keys, patch=16)
    return VisionConfig(
        hidden_size=size,
        intermediate_size=keys.integer("intermediate_size", default=3072),
        num_hidden_layers=keys.integer("num_hidden_layers", default=12, most=MOST_LAYERS),
        num_attention_heads=heads,
        image_size=image_size,
        patch_size=patch_size,
        num_channels=channels(keys),
        hidden_act=activation(keys, "hidden_act", default="gelu"),
        layer_norm_eps=keys.number("layer_norm_eps", default=1e-12),
        class_token=True,
        distillation_token=False,
        position_embeddings=True,
        relative_position_bias=False,
        shared_relative_position_bias=False,
        pre_layernorm=False,
        final_layernorm=True,
        layer_scale=False,
        patch_bias=True,
        qkv_bias=keys.flag("qkv_bias", default=True),
        key_bias=True,
    )


def _deit(keys: Keys) -> VisionConfig:
    """DeiT: a ViT with one more position before the patches."""
    return replace(_vit(keys), distillation_token=True)


def _beit(keys: Keys) -> VisionConfig:
    """BEiT: positions learned, as a bias by distance, or both; keys without bias; what a layer adds is scaled.

    Where [CLS] is not what a classifier would look at, a norm belongs to the pooler and the network ends without one.
    """
    config = _vit(keys)
    if len(set(config.image_size)) + len(set(config.patch_size)) > 2:
        raise UnsupportedModel(f"{keys.where}: a BEiT encoder of pictures that are not square is not supported")
    return replace(
        config,
        position_embeddings=keys.flag("use_absolute_position_embeddings", default=False),
        relative_position_bias=keys.flag("use_relative_position_bias", default=False),
        shared_relative_position_bias=keys.flag("use_shared_relative_position_bias", default=False),
        final_layernorm=not keys.flag("use_mean_pooling", default=True),
        layer_scale=keys.get("layer_scale_init_value") != 0 and keys.number("layer_scale_init_value", default=0.1) > 0,
        qkv_bias=True,
        key_bias=False,
    )


def _swin(keys: Keys) -> SwinConfig:
    """Swin: stages of windowed layers."""
    size = keys.integer("embed_dim", default=96)
    depths = keys.integers("depths", default=(2, 2, 6, 2))
    heads = keys.integers("num_heads", default=(3, 6, 12, 24))
    if not 1 <= len(depths) <= MOST_STAGES or min(depths) < 1 or sum(depths) > MOST_LAYERS:
        raise keys.fault("depths", f"up to {MOST_STAGES} numbers of layers, {MOST_LAYERS} together", list(depths))
    if len(heads) != len(depths) or any(each < 1 or size * 2**i % each for i, each in enumerate(heads)):
        raise keys.fault("num_heads", "for each stage a divisor of its hidden size", list(heads))
    image_size, patch_size = _picture(keys, patch=4)
    return SwinConfig(
        image_size=image_size,
        patch_size=patch_size,
        num_channels=channels(keys),
        embed_dim=size,
        depths=depths,
        num_heads=heads,
        window_size=keys.integer("window_size", default=7),
        mlp_ratio=keys.number("mlp_ratio", default=4.0),
        hidden_act=activation(keys, "hidden_act", default="gelu"),
        layer_norm_eps=keys.number("layer_norm_eps", default=1e-5),
        position_embeddings=keys.flag("use_absolute_embeddings", default=False),
        qkv_bias=keys.flag("qkv_bias", default=True),
    )


def _picture(keys: Keys, *, patch: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """(height, width) of a picture and of a patch, at least one patch to a picture."""
    image_size, patch_size = _edges(keys, "image_size", default=224), _edges(keys, "patch_size", default=patch)
    if image_size[0] < patch_size[0] or image_size[1] < patch_size[1]:
        raise keys.fault("image_size", f"no less than a patch of {list(patch_size)} pixels", list(image_size))
    return image_size, patch_size


def _edges(keys: Keys, name: str, *, default: int) -> tuple[int, int]:
    """A size in pixels: one number for both edges, or (height, width)."""
    edges = keys.integers(name, default=default)
    if len(edges) not in (1, 2) or min(edges) < 1:
        raise keys.fault(name, "a whole number of at least 1, or two", keys.get(name))
    return edges[0], edges[-1]


READERS: dict[str, Callable[[Keys], EncoderConfig]] = {"vit": _vit, "deit": _deit, "beit": _beit, "swin": _swin}
