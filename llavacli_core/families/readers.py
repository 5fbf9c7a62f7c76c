"""Readers of a whole config.json, one for each family."""

from __future__ import annotations

from typing import Any

from llavacli_core.config import ConnectorConfig, ModelConfig, VisionConfig
from llavacli_core.families.decoders import eos_token_ids, read_decoder
from llavacli_core.families.keys import Keys
from llavacli_core.families.towers import read_tower

ACTIVATIONS = ("gelu", "gelu_pytorch_tanh", "quick_gelu", "relu", "silu")
DTYPES = ("float32", "float16", "bfloat16")
PINPOINTS = ((336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008))  # LlavaNextConfig's own default


def llava(config: dict[str, Any]) -> ModelConfig:
    """LLaVA-1.5 and llava-interleave: the picture is one tile."""
    return _model(Keys(config, "config.json"), "llava", pinpoints=None)


def llava_next(config: dict[str, Any]) -> ModelConfig:
    """LLaVA-NeXT: AnyRes tiles, unpadded, each row of patches ending in a newline."""
    keys = Keys(config, "config.json")
    return _model(keys, "llava_next", pinpoints=keys.pairs("image_grid_pinpoints", default=PINPOINTS))


def _model(keys: Keys, family: str, *, pinpoints: tuple[tuple[int, int], ...] | None) -> ModelConfig:
    """What the families share."""
    vision = read_tower(keys.section("vision_config"))
    text = keys.section("text_config")
    connector = _connector(keys, vision, image_newline=pinpoints is not None)
    squared = vision.class_token == (connector.vision_feature_select_strategy == "default")
    if pinpoints is not None and not squared:
        raise keys.fault(
            "vision_feature_select_strategy",
            "'default' for CLIP, 'full' for SigLIP",
            keys.get("vision_feature_select_strategy"),
        )
    return ModelConfig(
        family=family,
        vision=vision,
        connector=connector,
        decoder=read_decoder(text),
        image_token_id=keys.integer("image_token_id", "image_token_index", default=32000, least=0),
        image_grid_pinpoints=pinpoints,
        dtype=_dtype(keys, text),
        eos_token_ids=keys.integers("eos_token_id") or eos_token_ids(text),
    )


def _connector(keys: Keys, vision: VisionConfig, *, image_newline: bool) -> ConnectorConfig:
    """The keys between tower and decoder; negative layers are counted from the end of the tower's hidden states."""
    states = vision.num_hidden_layers + 1
    layers = keys.integers("vision_feature_layer", default=-2)
    if not layers or not all(-states <= layer < states for layer in layers):
        raise keys.fault("vision_feature_layer", f"layers between -{states} and {states - 1}", list(layers))
    return ConnectorConfig(
        vision_feature_layers=tuple(layer % states for layer in layers),
        vision_feature_select_strategy=keys.choice(
            "vision_feature_select_strategy", among=("default", "full"), default="default"
        ),
        projector_hidden_act=keys.choice("projector_hidden_act", among=ACTIVATIONS, default="gelu"),
        projector_bias=keys.flag("multimodal_projector_bias", default=True),
        image_newline=image_newline,
    )


def _dtype(keys: Keys, text: Keys) -> str:
    """The stored number format. `text_config` may contradict the top level; the tensors follow the top level."""
    name = keys.get("dtype", "torch_dtype", default=text.get("dtype", "torch_dtype", default="float32"))
    return name if name in DTYPES else "float32"
