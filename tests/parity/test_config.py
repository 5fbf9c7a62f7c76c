"""config.json with the subsets of keys that published files have: we settle every value as transformers does."""

import json

import pytest

from llavacli_core.config import ModelConfig
from llavacli_core.families.registry import family_of

pytestmark = pytest.mark.parity

LLAMA_7B = {"model_type": "llama", "max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "vocab_size": 32064}
MISTRAL = {
    "model_type": "mistral",
    "intermediate_size": 14336,
    "max_position_embeddings": 32768,
    "num_key_value_heads": 8,
    "rope_theta": 1000000.0,
    "vocab_size": 32064,
}
QWEN = {
    "model_type": "qwen2",
    "bos_token_id": 151643,
    "eos_token_id": 151645,
    "hidden_size": 1024,
    "intermediate_size": 2816,
    "max_window_layers": 21,
    "num_attention_heads": 16,
    "num_hidden_layers": 24,
    "num_key_value_heads": 16,
    "rope_theta": 1000000.0,
    "sliding_window": 32768,
    "tie_word_embeddings": True,
    "vocab_size": 152000,
}
CLIP = {
    "model_type": "clip_vision_model",
    "hidden_size": 1024,
    "image_size": 336,
    "intermediate_size": 4096,
    "num_attention_heads": 16,
    "num_hidden_layers": 24,
    "patch_size": 14,
    "projection_dim": 768,
    "vocab_size": 32000,
}
SIGLIP = {
    "model_type": "siglip_vision_model",
    "hidden_size": 1152,
    "image_size": 384,
    "intermediate_size": 4304,
    "num_attention_heads": 16,
    "num_hidden_layers": 26,
    "patch_size": 14,
    "vision_use_head": False,
}

CONFIGS = {
    "nothing but the family": {"model_type": "llava"},
    "nothing but the family, next": {"model_type": "llava_next"},
    "llava-1.5-7b": {
        "model_type": "llava",
        "image_token_index": 32000,
        "text_config": LLAMA_7B,
        "vision_config": CLIP,
        "torch_dtype": "float16",
    },
    "v1.6-mistral": {
        "model_type": "llava_next",
        "image_token_index": 32000,
        "image_grid_pinpoints": [[336, 672], [672, 336], [1008, 336]],
        "text_config": MISTRAL | {"sliding_window": None, "torch_dtype": "bfloat16"},
        "vision_config": CLIP,
        "vision_feature_layer": -2,
        "torch_dtype": "float16",
    },
    "mistral, window by default": {"model_type": "llava_next", "text_config": MISTRAL, "vision_config": CLIP},
    "mistral, all by default": {"model_type": "llava_next", "text_config": {"model_type": "mistral"}},
    "qwen2, all by default": {"model_type": "llava_next", "text_config": {"model_type": "qwen2"}},
    "towers by default": {"model_type": "llava", "vision_config": {"model_type": "clip_vision_model"}},
    "siglip by default": {
        "model_type": "llava",
        "vision_config": {"model_type": "siglip_vision_model"},
        "vision_feature_select_strategy": "full",
    },
    "interleave": {
        "model_type": "llava",
        "image_token_index": 151646,
        "text_config": QWEN,
        "vision_config": SIGLIP,
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "full",
    },
    "34b": {
        "model_type": "llava_next",
        "image_token_index": 64000,
        "text_config": {
            "model_type": "llama",
            "eos_token_id": 7,
            "hidden_size": 7168,
            "intermediate_size": 20480,
            "num_attention_heads": 56,
            "num_hidden_layers": 60,
            "num_key_value_heads": 8,
            "rope_theta": 5000000.0,
            "vocab_size": 64064,
        },
    },
    "llama 3": {
        "model_type": "llava_next",
        "text_config": LLAMA_7B | {"num_key_value_heads": 8, "rope_theta": 500000.0, "eos_token_id": [128001, 128009]},
    },
    "rope_scaling, type": {
        "model_type": "llava",
        "text_config": LLAMA_7B | {"rope_scaling": {"type": "linear", "factor": 2.5}},
    },
    "rope_scaling, rope_type": {
        "model_type": "llava",
        "text_config": LLAMA_7B | {"rope_scaling": {"rope_type": "linear", "factor": 4.0}, "rope_theta": 20000.0},
    },
    "rope_parameters": {
        "model_type": "llava",
        "image_token_id": 32001,
        "dtype": "bfloat16",
        "text_config": LLAMA_7B
        | {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 30000.0}, "rope_theta": 1.0},
    },
    "biases": {"model_type": "llava", "text_config": LLAMA_7B | {"attention_bias": True, "mlp_bias": True}},
    "qwen2, window in some layers": {
        "model_type": "llava",
        "text_config": QWEN | {"use_sliding_window": True},
    },
    "qwen2, a window that is none": {
        "model_type": "llava",
        "text_config": QWEN | {"use_sliding_window": True, "sliding_window": None},
    },
    "a head dim of its own": {"model_type": "llava_next", "text_config": MISTRAL | {"head_dim": 64}},
    "nulls": {
        "model_type": "llava",
        "text_config": LLAMA_7B | {"num_key_value_heads": None, "rope_scaling": None},
        "vision_config": None,
        "image_grid_pinpoints": None,
    },
    "nothing but the family, vip": {"model_type": "vipllava"},
    "vip-llava-7b": {
        "model_type": "vipllava",
        "projector_layernorm_eps": 1e-05,
        "text_config": LLAMA_7B,
        "vision_config": CLIP,
        "vision_feature_layers": [-2, -5, -8, -11, 6],
    },
    "vip, two layers": {"model_type": "vipllava", "vision_feature_layer": [3, -1], "projector_layernorm_eps": 1e-6},
    "nothing but the family, video": {"model_type": "llava_next_video"},
    "video, 7b": {
        "model_type": "llava_next_video",
        "image_token_index": 32001,
        "video_token_index": 32000,
        "text_config": LLAMA_7B | {"rope_scaling": {"factor": 2.5, "type": "linear"}, "type": "linear"},
        "vision_config": CLIP,
        "spatial_pool_mode": "average",
        "spatial_pool_out_channels": 1024,
    },
    "video, strays of the converter alone": {
        "model_type": "llava_next_video",
        "text_config": LLAMA_7B | {"type": "linear", "factor": 2.5},
    },
    "video, 32k": {
        "model_type": "llava_next_video",
        "text_config": MISTRAL | {"sliding_window": None},
        "video_token_id": 32005,
        "spatial_pool_mode": "max",
        "spatial_pool_stride": 3,
    },
    "several layers": {
        "model_type": "llava_next",
        "vision_feature_layer": [-2, 6, -5],
        "multimodal_projector_bias": False,
        "projector_hidden_act": "relu",
    },
}


TEXT = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
    "hidden_act", "rms_norm_eps", "max_position_embeddings", "tie_word_embeddings",
)  # fmt: skip
VISION = (
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_channels", "hidden_act", "layer_norm_eps",
)  # fmt: skip


def ours(config: ModelConfig) -> dict:
    """Our values."""
    text, connector = config.decoder, config.connector
    return {
        "text": {name: getattr(text, name) for name in TEXT},
        "head_dim": text.head_dim,
        "rope": (text.rope.theta, text.rope.factor),
        "windows": text.sliding_windows,
        "biases": (text.qkv_bias, text.output_bias, text.mlp_bias),
        "vision": {name: getattr(config.vision, name) for name in VISION},
        "pixels": (config.vision.image_size, config.vision.patch_size),
        "layers": connector.vision_feature_layers,
        "strategy": connector.vision_feature_select_strategy,
        "projector": (connector.projector_hidden_act, connector.projector_bias, connector.projector_layernorm_eps),
        "pooling": None if connector.pooling is None else (connector.pooling.mode, connector.pooling.stride),
        "video_token": config.video_token_id,
        "image_token": config.image_token_id,
        "pinpoints": config.image_grid_pinpoints,
        "eos": config.eos_token_ids,
    }


def theirs(config) -> dict:
    """The reference's values, said in the same way."""
    text, vision, rope = config.text_config, config.vision_config, config.text_config.rope_parameters
    attention_bias = getattr(text, "attention_bias", False)
    states = vision.num_hidden_layers + 1
    takes_videos = config.model_type == "llava_next_video"
    tiled = takes_videos or config.model_type == "llava_next"
    return {
        "text": {name: getattr(text, name) for name in TEXT},
        "head_dim": getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads,
        "rope": (rope["rope_theta"], rope.get("factor", 1.0)),
        "windows": windows(text),
        "biases": (attention_bias or text.model_type == "qwen2", attention_bias, getattr(text, "mlp_bias", False)),
        "vision": {name: getattr(vision, name) for name in VISION},
        "pixels": ((vision.image_size,) * 2, (vision.patch_size,) * 2),
        "layers": tuple(layer % states for layer in listed(config.vision_feature_layer)),
        "strategy": getattr(config, "vision_feature_select_strategy", "default"),
        "projector": (
            config.projector_hidden_act,
            getattr(config, "multimodal_projector_bias", True),
            getattr(config, "projector_layernorm_eps", None),
        ),
        "pooling": (config.spatial_pool_mode, config.spatial_pool_stride) if takes_videos else None,
        "video_token": config.video_token_index if takes_videos else None,
        "image_token": config.image_token_index,
        "pinpoints": tuple(map(tuple, config.image_grid_pinpoints)) if tiled else None,
        "eos": listed(text.eos_token_id),
    }


def listed(value) -> tuple:
    """One, several or none, as a tuple."""
    return () if value is None else tuple(value) if isinstance(value, list | tuple) else (value,)


def windows(text) -> tuple:
    """How far back each layer may look."""
    if text.model_type == "qwen2":
        return tuple(text.sliding_window if kind == "sliding_attention" else None for kind in text.layer_types)
    return (getattr(text, "sliding_window", None),) * text.num_hidden_layers


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_settled_as_the_reference_settles_it(config, tmp_path):
    from transformers import AutoConfig

    (tmp_path / "config.json").write_text(json.dumps(config))
    assert ours(family_of(config).read(config)) == theirs(AutoConfig.from_pretrained(tmp_path))
