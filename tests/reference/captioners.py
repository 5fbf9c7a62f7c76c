"""Tiny captioners of random weights, written by transformers: each encoder and each decoder that the documents pair."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import (
    BeitConfig,
    BertConfig,
    DeiTConfig,
    GPT2Config,
    PreTrainedConfig,
    RobertaConfig,
    SwinConfig,
    TrOCRConfig,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
    ViTConfig,
)

VOCABULARY = 96
START, END, PADDING = 2, 3, 1
SIDE = 32

TRANSFORMER = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": 8,
}
ENCODERS: dict[str, PreTrainedConfig] = {
    "vit": ViTConfig(**TRANSFORMER),
    "vit-wide": ViTConfig(**TRANSFORMER | {"hidden_size": 384, "num_hidden_layers": 1}),
    "vit-plain": ViTConfig(**TRANSFORMER, qkv_bias=False),
    "deit": DeiTConfig(**TRANSFORMER),
    "beit": BeitConfig(**TRANSFORMER, use_relative_position_bias=True, layer_scale_init_value=0.1),
    "swin": SwinConfig(image_size=SIDE, patch_size=4, embed_dim=16, depths=[2, 2], num_heads=[2, 4], window_size=4),
}

TEXT = {"vocab_size": VOCABULARY, "bos_token_id": 0, "eos_token_id": END, "pad_token_id": PADDING}
BERT = TEXT | {
    "hidden_size": 40,
    "intermediate_size": 56,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 40,
}
TROCR = TEXT | {
    "d_model": 40,
    "decoder_ffn_dim": 56,
    "decoder_layers": 3,
    "decoder_attention_heads": 4,
    "max_position_embeddings": 40,
}
GPT2 = TEXT | {"n_embd": 40, "n_layer": 3, "n_head": 4, "n_positions": 40}
DECODERS: dict[str, PreTrainedConfig] = {
    "gpt2": GPT2Config(**GPT2),
    "gpt2-scaled": GPT2Config(**GPT2, n_inner=72, scale_attn_by_inverse_layer_idx=True, scale_attn_weights=False),
    "gpt2-untied": GPT2Config(**GPT2, tie_word_embeddings=False),
    "trocr": TrOCRConfig(**TROCR, cross_attention_hidden_size=32),
    "trocr-scaled": TrOCRConfig(**TROCR, activation_function="relu", scale_embedding=True, tie_word_embeddings=False),
    "trocr-sinusoidal": TrOCRConfig(
        **TROCR,
        activation_function="relu",
        scale_embedding=True,
        use_learned_position_embeddings=False,
        layernorm_embedding=False,
        tie_word_embeddings=False,
    ),
    # Wide enough that its stacked matrices stay mapped from disk, side by side.
    "trocr-wide": TrOCRConfig(
        **TROCR | {"d_model": 384, "decoder_layers": 1}, scale_embedding=True, cross_attention_hidden_size=384
    ),
    "bert": BertConfig(**BERT),
    "bert-untied": BertConfig(**BERT, hidden_act="gelu_new", tie_word_embeddings=False),
    "roberta": RobertaConfig(**BERT),
    "roberta-untied": RobertaConfig(**BERT, hidden_act="relu", tie_word_embeddings=False),
}


@dataclass(frozen=True, kw_only=True)
class Pair:
    """An encoder and a decoder, by the names above."""

    encoder: str
    decoder: str
    values: dict[str, Any] = field(default_factory=dict)  # of config.json's top level

    @property
    def name(self) -> str:
        return f"{self.encoder}+{self.decoder}"

    def config(self) -> VisionEncoderDecoderConfig:
        config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(
            ENCODERS[self.encoder], DECODERS[self.decoder], **self.values
        )
        config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = START, PADDING, END
        return config


PAIRS = (
    Pair(encoder="vit", decoder="gpt2"),
    Pair(encoder="deit", decoder="trocr"),
    Pair(encoder="vit-plain", decoder="trocr-sinusoidal"),
    Pair(encoder="beit", decoder="roberta"),
    Pair(encoder="swin", decoder="bert"),
    Pair(encoder="swin", decoder="gpt2-scaled"),
    Pair(encoder="deit", decoder="bert-untied"),
    Pair(encoder="beit", decoder="trocr-scaled"),
    Pair(encoder="vit", decoder="roberta-untied"),
    Pair(encoder="vit-plain", decoder="gpt2-untied"),
    Pair(encoder="vit-wide", decoder="trocr-wide"),
)
BY_NAME = {pair.name: pair for pair in PAIRS}


def random_captioner(pair: Pair, seed: int = 1) -> VisionEncoderDecoderModel:
    """The reference's network, every parameter random, with attention as the textbook has it."""
    model = VisionEncoderDecoderModel(pair.config()).eval()
    model.set_attn_implementation("eager")
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            parameter.copy_(scaled(name, torch.randn(parameter.shape, generator=generator)))
    return model


def scaled(name: str, noise: torch.Tensor) -> torch.Tensor:
    """Noise of the size that suits a parameter: around one for norms, above 1 / sqrt(fan in) for matrices."""
    if name.endswith("bias"):
        return 0.2 * noise
    if noise.dim() == 1:
        return 1 + 0.3 * noise
    if "embed" in name or ".wte" in name or ".wpe" in name or "table" in name:
        return 0.7 * noise
    return 1.5 * noise / noise.shape[-1] ** 0.5


def write(pair: Pair, folder: Path, seed: int = 1) -> VisionEncoderDecoderModel:
    """The checkpoint without its small files, as the installed transformers saves it; and the model itself."""
    model = random_captioner(pair, seed)
    model.save_pretrained(folder)
    return model
