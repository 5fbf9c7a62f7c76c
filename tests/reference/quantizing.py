"""The reference's networks with bitsandbytes' layers in them, as transformers puts them there, and saved by it.

transformers' own way in, `quantization_config`, wants accelerate; what it does to the network is no more than this.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from bitsandbytes.nn import Int8Params, Linear4bit, Linear8bitLt, Params4bit
from torch import nn
from transformers import BitsAndBytesConfig


@torch.no_grad()
def quantized(model: nn.Module, config: BitsAndBytesConfig, kept: Collection[str] = ("lm_head",)) -> Any:
    """The model, its linear layers quantized in place, but those whose path has one of `kept` in it."""
    for path, module in list(model.named_modules()):
        if type(module) is nn.Linear and not set(path.split(".")) & set(kept):
            model.set_submodule(path, (_eight if config.load_in_8bit else _four)(module, config))
    model.config.quantization_config = config
    return model.eval()


def _eight(linear: nn.Linear, config: BitsAndBytesConfig) -> Linear8bitLt:
    layer = Linear8bitLt(
        *(linear.in_features, linear.out_features, linear.bias is not None),
        has_fp16_weights=False,
        threshold=config.llm_int8_threshold,
    )
    layer.weight = Int8Params(linear.weight.data, requires_grad=False, has_fp16_weights=False)
    layer.bias = linear.bias
    return layer.to("cpu")


def _four(linear: nn.Linear, config: BitsAndBytesConfig) -> Linear4bit:
    layer = Linear4bit(
        *(linear.in_features, linear.out_features, linear.bias is not None),
        compute_dtype=config.bnb_4bit_compute_dtype,
        compress_statistics=config.bnb_4bit_use_double_quant,
        quant_type=config.bnb_4bit_quant_type,
    )
    layer.weight = Params4bit(
        linear.weight.data,
        requires_grad=False,
        compress_statistics=config.bnb_4bit_use_double_quant,
        quant_type=config.bnb_4bit_quant_type,
    )
    layer.bias = linear.bias
    layer.support_avx512bf16_for_cpu = False  # its own order for such CPUs cannot hold matrices as narrow as ours
    return layer.to("cpu")
