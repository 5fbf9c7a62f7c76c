"""The demo's network in the Hub's words: what goes into its config.json and preprocessor_config.json."""

from __future__ import annotations

from typing import Any

from demo.tokenizer import BOS, EOS, IMAGE_TOKEN, PAD

TILE, PATCH = 64, 8
PINPOINTS = ((64, 128), (128, 64), (128, 128), (64, 192), (192, 64))  # (height, width)
POSITIONS = 1024


def config(vocab_size: int) -> dict[str, Any]:
    """config.json of a LLaVA-NeXT with a four-layer CLIP tower and a four-layer Llama."""
    return {
        "architectures": ["LlavaNextForConditionalGeneration"],
        "model_type": "llava_next",
        "dtype": "bfloat16",
        "bos_token_id": BOS,
        "eos_token_id": EOS,
        "pad_token_id": PAD,
        "image_token_id": IMAGE_TOKEN,
        "image_grid_pinpoints": [list(pair) for pair in PINPOINTS],
        "image_seq_length": (TILE // PATCH) ** 2,
        "multimodal_projector_bias": True,
        "projector_hidden_act": "gelu",
        "tie_word_embeddings": True,
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "default",
        "vision_config": {
            "model_type": "clip_vision_model",
            "hidden_act": "gelu_pytorch_tanh",
            "hidden_size": 128,
            "image_size": TILE,
            "intermediate_size": 512,
            "layer_norm_eps": 1e-5,
            "num_attention_heads": 2,
            "num_channels": 3,
            "num_hidden_layers": 4,
            "patch_size": PATCH,
            "projection_dim": 128,
        },
        "text_config": {
            "model_type": "llama",
            "attention_bias": False,
            "bos_token_id": BOS,
            "eos_token_id": EOS,
            "head_dim": 64,
            "hidden_act": "silu",
            "hidden_size": 128,
            "intermediate_size": 384,
            "max_position_embeddings": POSITIONS,
            "mlp_bias": False,
            "num_attention_heads": 2,
            "num_hidden_layers": 4,
            "num_key_value_heads": 2,
            "pad_token_id": PAD,
            "rms_norm_eps": 1e-6,
            "rope_theta": 10000.0,
            "tie_word_embeddings": True,
            "vocab_size": vocab_size,
        },
    }


def preprocessor() -> dict[str, Any]:
    """preprocessor_config.json."""
    return {
        "image_processor_type": "LlavaNextImageProcessor",
        "processor_class": "LlavaNextProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": TILE},
        "resample": 3,
        "do_center_crop": True,
        "crop_size": {"height": TILE, "width": TILE},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "do_pad": True,
        "image_grid_pinpoints": [list(pair) for pair in PINPOINTS],
    }


def processor() -> dict[str, Any]:
    """processor_config.json."""
    return {
        "processor_class": "LlavaNextProcessor",
        "image_token": "<image>",
        "num_additional_image_tokens": 1,
        "patch_size": PATCH,
        "vision_feature_select_strategy": "default",
    }
