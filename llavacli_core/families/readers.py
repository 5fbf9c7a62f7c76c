"""Readers of a whole config.json, one for each family."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from llavacli_core.config import ConnectorConfig, DecoderConfig, ModelConfig, PoolingConfig, VisionConfig
from llavacli_core.families.activations import activation
from llavacli_core.families.decoders import eos_token_ids, read_decoder
from llavacli_core.families.keys import Keys
from llavacli_core.families.stored_quantization import arithmetic
from llavacli_core.families.towers import read_tower

DTYPES = ("float32", "float16", "bfloat16")
PINPOINTS = ((336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008))  # LlavaNextConfig's own default
VIP_LAYERS = (-2, -5, -8, -11, 6)
FRAMES = 32  # as LLaVA-NeXT-Video was trained


def llava(config: dict[str, Any]) -> ModelConfig:
    """LLaVA-1.5 and llava-interleave: the picture is one tile."""
    return _model(Keys(config, "config.json"), "llava")


def vipllava(config: dict[str, Any]) -> ModelConfig:
    """ViP-LLaVA: the picture is one tile; several layers of the tower, normalised together; [CLS] is always dropped."""
    keys = Keys(config, "config.json")
    model = _model(keys, "vipllava", layers=VIP_LAYERS)
    connector = replace(
        model.connector,
        vision_feature_select_strategy="default",
        projector_bias=True,
        projector_layernorm_eps=keys.number("projector_layernorm_eps", default=1e-5),
    )
    return replace(model, connector=connector)


def llava_next(config: dict[str, Any]) -> ModelConfig:
    """LLaVA-NeXT: AnyRes tiles, unpadded, each row of patches ending in a newline."""
    keys = Keys(config, "config.json")
    return _tiled(keys, _model(keys, "llava_next"))


def llava_next_video(config: dict[str, Any]) -> ModelConfig:
    """LLaVA-NeXT-Video: pictures as in LLaVA-NeXT; videos as frames whose patches are pooled."""
    keys = Keys(config, "config.json")
    model = _tiled(keys, _model(keys, "llava_next_video", image_token=32001))
    pooling = _pooling(keys, model)
    return replace(
        model,
        connector=replace(model.connector, pooling=pooling),
        video_token_id=keys.integer("video_token_id", "video_token_index", default=32000, least=0),
        default_frames=_default_frames(model.decoder, (model.vision.side // pooling.stride) ** 2),
    )


def _model(keys: Keys, family: str, *, image_token: int = 32000, layers: tuple[int, ...] = (-2,)) -> ModelConfig:
    """What the families share; `image_token` and `layers` are the family's defaults."""
    vision = read_tower(keys.section("vision_config"))
    text = keys.section("text_config")
    return ModelConfig(
        family=family,
        vision=vision,
        connector=_connector(keys, vision, layers),
        decoder=read_decoder(text),
        image_token_id=keys.integer("image_token_id", "image_token_index", default=image_token, least=0),
        video_token_id=None,
        default_frames=None,
        image_grid_pinpoints=None,
        dtype=_dtype(keys, text),
        arithmetic=arithmetic(keys),
        eos_token_ids=keys.integers("eos_token_id") or eos_token_ids(text),
    )


def _connector(keys: Keys, vision: VisionConfig, default: tuple[int, ...]) -> ConnectorConfig:
    """The keys between tower and decoder; negative layers are counted from the end of the tower's hidden states."""
    states = vision.num_hidden_layers + 1
    layers = keys.integers("vision_feature_layers", "vision_feature_layer", default=default)  # the first is ViP's
    if not layers or not all(-states <= layer < states for layer in layers):
        raise keys.fault("vision_feature_layer", f"layers between -{states} and {states - 1}", list(layers))
    return ConnectorConfig(
        vision_feature_layers=tuple(layer % states for layer in layers),
        vision_feature_select_strategy=keys.choice(
            "vision_feature_select_strategy", among=("default", "full"), default="default"
        ),
        projector_hidden_act=activation(keys, "projector_hidden_act", default="gelu"),
        projector_bias=keys.flag("multimodal_projector_bias", default=True),
        projector_layernorm_eps=None,
        image_newline=False,
        pooling=None,
    )


def _tiled(keys: Keys, model: ModelConfig) -> ModelConfig:
    """The same with AnyRes tiles, whose patches must form a square."""
    connector = replace(model.connector, image_newline=True)
    if model.vision.class_token != (connector.vision_feature_select_strategy == "default"):
        raise keys.fault(
            "vision_feature_select_strategy",
            "'default' for CLIP, 'full' for SigLIP",
            keys.get("vision_feature_select_strategy"),
        )
    pinpoints = keys.pairs("image_grid_pinpoints", default=PINPOINTS)
    return replace(model, connector=connector, image_grid_pinpoints=pinpoints)


def _pooling(keys: Keys, model: ModelConfig) -> PoolingConfig:
    """How frames are pooled. A convolution must give as many channels as the projector takes."""
    mode = keys.choice("spatial_pool_mode", among=("average", "max", "conv"), default="average")
    size = model.vision.hidden_size
    channels = keys.integer("spatial_pool_out_channels", default=size)
    if mode == "conv" and channels != size:
        raise keys.fault("spatial_pool_out_channels", f"the tower's hidden_size, {size}", channels)
    if mode == "conv" and len(model.connector.vision_feature_layers) > 1:
        raise keys.fault("spatial_pool_mode", "'average' or 'max' where there are several vision_feature_layer", mode)
    return PoolingConfig(mode=mode, stride=keys.integer("spatial_pool_stride", default=2, most=model.vision.side))


def _default_frames(decoder: DecoderConfig, tokens: int) -> int:
    """The frames that a video is given by itself: fewer where they would take more than 3/4 of the positions.

    So the 34B, whose 4096 positions are not scaled, sees 21 frames of 144 tokens, and has room to speak of them.
    """
    return max(1, min(FRAMES, decoder.positions * 3 // 4 // max(tokens, 1)))


def _dtype(keys: Keys, text: Keys) -> str:
    """The stored number format. `text_config` may contradict the top level; the tensors follow the top level."""
    name = keys.get("dtype", "torch_dtype", default=text.get("dtype", "torch_dtype", default="float32"))
    return name if name in DTYPES else "float32"
