"""The base checkpoints: one row per published combination of wrapper, tower, decoder and dialect, at toy sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tokenizers import Tokenizer

from tests.reference import dialects, tokenizing

CLIP = {"model_type": "clip_vision_model", "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5}
SIGLIP = {"model_type": "siglip_vision_model", "hidden_act": "gelu_pytorch_tanh", "vision_use_head": False}


@dataclass(frozen=True, kw_only=True)
class Base:
    """A checkpoint to be written: what differs between published families, everything else alike."""

    name: str
    architecture: str  # its model_type
    text: dict[str, Any]
    tokenizer: Callable[[], Tokenizer]
    template: str
    eos: str
    pad: str
    bos: str | None = None
    vision: dict[str, Any] = field(default_factory=lambda: CLIP)
    image_size: int = 28
    layer: int | list[int] = -2
    strategy: str = "default"
    wrapper: dict[str, Any] = field(default_factory=dict)  # what else stands at the top of config.json
    seed: int = 1  # of the weights; chosen so that no two choices nearly tie

    @property
    def pinpoints(self) -> list[list[int]]:
        """The published grids, in tiles of this tower's size."""
        side = self.image_size
        return [[side * rows, side * cols] for rows, cols in ((1, 2), (2, 1), (2, 2), (3, 1), (1, 3))]

    @property
    def has_class_token(self) -> bool:
        return self.vision["model_type"] == "clip_vision_model"

    @property
    def takes_videos(self) -> bool:
        return self.architecture == "llava_next_video"


def decoder(model_type: str, **values: Any) -> dict[str, Any]:
    """A three-layer decoder of 64 channels and 4 heads."""
    return {
        "model_type": model_type,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-5,
        **values,
    }


LLAMA2 = {"tokenizer": tokenizing.llama2, "bos": "<s>", "eos": "</s>", "pad": "<pad>"}
LLAMA2_VIDEO = LLAMA2 | {"tokenizer": partial(tokenizing.llama2, ("<video>", "<image>", "<pad>"))}
LLAMA3 = {"tokenizer": tokenizing.llama3, "bos": "<|begin_of_text|>", "eos": "<|eot_id|>", "pad": "<pad>"}
QWEN = {"tokenizer": tokenizing.qwen, "eos": "<|im_end|>", "pad": "<|endoftext|>"}
YI = {"tokenizer": tokenizing.yi, "bos": "<|startoftext|>", "eos": "<|im_end|>", "pad": "<unk>"}

BASES = (
    Base(
        name="llava-1.5",
        architecture="llava",
        seed=2,
        text=decoder("llama", rope_theta=1e4),
        template=dialects.VICUNA,
        image_size=56,
        **LLAMA2,
    ),
    Base(
        name="llava-interleave",
        architecture="llava",
        seed=21,
        text=decoder("qwen2", rope_theta=1e6, tie_word_embeddings=True, sliding_window=32, use_sliding_window=False),
        vision=SIGLIP,
        template=dialects.QWEN,
        image_size=60,  # like the published 384: no multiple of the patch
        layer=-1,
        strategy="full",
        **QWEN,
    ),
    Base(
        name="next-vicuna",
        architecture="llava_next",
        seed=2,
        text=decoder("llama", rope_theta=1e4, max_position_embeddings=2048),
        template=dialects.VICUNA,
        **(LLAMA2 | {"pad": "<unk>"}),
    ),
    Base(
        name="next-mistral",
        architecture="llava_next",
        seed=2,
        text=decoder("mistral", rope_theta=1e6, num_key_value_heads=2, sliding_window=None, head_dim=24),
        template=dialects.MISTRAL,
        image_size=56,
        **LLAMA2,
    ),
    Base(
        name="next-mistral-window",
        architecture="llava_next",
        seed=2,
        text=decoder("mistral", rope_theta=1e6, num_key_value_heads=2, sliding_window=19, head_dim=16),
        template=dialects.MISTRAL,
        **LLAMA2,
    ),
    Base(
        name="next-qwen",
        architecture="llava_next",
        text=decoder(
            "qwen2",
            rope_theta=1e6,
            num_key_value_heads=1,
            sliding_window=23,
            use_sliding_window=True,
            max_window_layers=1,
        ),
        template=dialects.QWEN,
        **QWEN,
    ),
    Base(
        name="next-llama3",
        architecture="llava_next",
        text=decoder("llama", rope_theta=5e5, num_key_value_heads=2),
        template=dialects.LLAMA3,
        **LLAMA3,
    ),
    Base(
        name="next-yi",
        architecture="llava_next",
        text=decoder("llama", rope_theta=5e6, num_key_value_heads=1),
        template=dialects.YI,
        **YI,
    ),
    Base(
        name="next-siglip",
        architecture="llava_next",
        text=decoder("qwen2", rope_theta=1e6, num_key_value_heads=2),
        vision=SIGLIP,
        template=dialects.QWEN,
        layer=-1,
        strategy="full",
        **QWEN,
    ),
    Base(
        name="next-336",
        architecture="llava_next",
        seed=2,
        text=decoder("mistral", rope_theta=1e6, num_key_value_heads=2, sliding_window=None, head_dim=16),
        template=dialects.MISTRAL,
        image_size=336,
        **LLAMA2,
    ),
    Base(
        name="vip",
        architecture="vipllava",
        text=decoder("llama", rope_theta=1e4),
        template=dialects.VIP,
        image_size=56,
        seed=2,
        layer=[-2, -4, -3, 3, 1],
        wrapper={"projector_layernorm_eps": 1e-3},
        **LLAMA2,
    ),
    Base(
        name="video",
        architecture="llava_next_video",
        text=decoder("llama", rope_theta=1e4),
        template=dialects.with_videos(dialects.VICUNA),
        image_size=56,
        **LLAMA2_VIDEO,
    ),
    Base(
        name="video-linear",
        architecture="llava_next_video",
        text=decoder("llama", rope_parameters={"rope_type": "linear", "factor": 2.5, "rope_theta": 1e4}, type="linear"),
        template=dialects.with_videos(dialects.VICUNA),
        image_size=56,
        **LLAMA2_VIDEO,
    ),
    Base(
        name="video-max",
        architecture="llava_next_video",
        text=decoder("llama", rope_theta=1e4),
        template=dialects.IN_ORDER,
        image_size=70,  # an odd square of patches: the last row and column are left out
        wrapper={"spatial_pool_mode": "max"},
        **LLAMA2_VIDEO,
    ),
    Base(
        name="video-conv",
        architecture="llava_next_video",
        text=decoder("llama", rope_theta=1e4),
        template=dialects.IN_ORDER,
        image_size=84,
        wrapper={"spatial_pool_mode": "conv", "spatial_pool_stride": 3, "spatial_pool_out_channels": 32},
        **LLAMA2_VIDEO,
    ),
    Base(
        name="video-mistral",
        architecture="llava_next_video",
        text=decoder("mistral", rope_theta=1e6, num_key_value_heads=2, sliding_window=None, head_dim=24),
        template=dialects.with_videos(dialects.MISTRAL),
        image_size=56,
        **LLAMA2_VIDEO,
    ),
)
BY_NAME = {base.name: base for base in BASES}
