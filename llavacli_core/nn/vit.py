"""The vision transformer: CLIP, SigLIP, ViT, DeiT and BEiT by config values alone.

N tiles  S pixels along a tile's edge  P positions (patches, and [CLS] where there is one)  D hidden size
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import torch
from torch import Tensor, nn

from llavacli_core.config import VisionConfig
from llavacli_core.nn.activations import ACTIVATIONS
from llavacli_core.nn.linear import Linear
from llavacli_core.nn.norms import LayerNorm
from llavacli_core.nn.product import convolution
from llavacli_core.nn.self_attention import RelativePositionBias, SelfAttention
from llavacli_core.nn.slices import by_slices
from llavacli_core.nn.trace import Trace
from llavacli_core.portions import TOWER_SLICE


class Block(nn.Module):
    """One layer, pre-normalised."""

    def __init__(self, config: VisionConfig, kernel: str) -> None:
        super().__init__()
        size, heads = config.hidden_size, config.num_attention_heads
        self.grid = config.patch_grid
        self.attention_norm = LayerNorm(size, config.layer_norm_eps)
        self.attention = SelfAttention(size, heads, bias=config.qkv_bias, key_bias=config.key_bias, kernel=kernel)
        self.relative = _relative(config) if config.relative_position_bias else None
        self.attention_scale = nn.Parameter(torch.empty(size)) if config.layer_scale else None
        self.mlp_norm = LayerNorm(size, config.layer_norm_eps)
        self.up = Linear(size, config.intermediate_size, bias=True)
        self.down = Linear(config.intermediate_size, size, bias=True)
        self.mlp_scale = nn.Parameter(torch.empty(size)) if config.layer_scale else None
        self.act = ACTIVATIONS[config.hidden_act]

    def forward(self, x: Tensor, bias: Tensor | None = None, weights: list[Tensor] | None = None) -> Tensor:
        """[N, P, D] -> [N, P, D]; `bias` [1, H, P, P] is what all layers share."""
        if self.relative is not None:
            bias = self.relative(*self.grid) if bias is None else self.relative(*self.grid) + bias
        y = self.attention(self.attention_norm(x), bias, weights)
        x = x + (y if self.attention_scale is None else self.attention_scale * y)
        return by_slices(self._feed_forward, x, self.up, large=TOWER_SLICE)

    def _feed_forward(self, x: Tensor) -> Tensor:
        y = self.down(self.act(self.up(self.mlp_norm(x))))
        return x + (y if self.mlp_scale is None else self.mlp_scale * y)  # type: ignore[no-any-return]


class VisionTransformer(nn.Module):
    """Patches embedded, positions added, `depth` layers: a tower has none beyond the deepest that is asked for."""

    def __init__(self, config: VisionConfig, *, depth: int, kernel: str = "sdpa") -> None:
        super().__init__()
        self.config = config
        size = config.hidden_size
        self.patch_weight = nn.Parameter(torch.empty(size, config.num_channels, *config.patch_size))
        self.patch_bias = nn.Parameter(torch.empty(size)) if config.patch_bias else None
        self.class_embedding = nn.Parameter(torch.empty(size)) if config.class_token else None
        self.distillation_embedding = nn.Parameter(torch.empty(size)) if config.distillation_token else None
        self.positions = nn.Parameter(torch.empty(config.num_positions, size)) if config.position_embeddings else None
        self.pre_norm = LayerNorm(size, config.layer_norm_eps) if config.pre_layernorm else None
        self.relative = _relative(config) if config.shared_relative_position_bias else None
        self.blocks = nn.ModuleList(Block(config, kernel) for _ in range(depth))
        self.final_norm = LayerNorm(size, config.layer_norm_eps) if config.final_layernorm else None

    def embed(self, pixels: Tensor) -> Tensor:
        """[N, 3, S, S] -> [N, P, D]."""
        if pixels.shape[-2:] != self.config.image_size:
            raise ValueError(f"pictures of {tuple(pixels.shape[-2:])} pixels for a network of {self.config.image_size}")
        x = convolution(pixels, self.patch_weight, self.patch_bias, self.config.patch_size)
        x = x.flatten(2).transpose(1, 2)
        tokens = [token for token in (self.class_embedding, self.distillation_embedding) if token is not None]
        if tokens:
            x = torch.cat((*(token.to(x.dtype).expand(len(x), 1, -1) for token in tokens), x), dim=1)
        if self.positions is not None:
            x = x + self.positions
        return x if self.pre_norm is None else self.pre_norm(x)

    def states(self, pixels: Tensor, weights: list[Tensor] | None = None) -> Iterator[Tensor]:
        """[N, 3, S, S] -> the embeddings, then each layer's output, [N, P, D]; `weights` gets their attention."""
        x = self.embed(pixels)
        yield x
        bias = None if self.relative is None else self.relative(*self.config.patch_grid)
        for block in self.blocks:
            x = block(x, bias, weights)
            yield x

    def hidden_states(self, pixels: Tensor, layers: tuple[int, ...]) -> list[Tensor]:
        """[N, 3, S, S] -> hidden states [N, P, D] of each of `layers`: 0 the embeddings, i the output of layer i."""
        states = islice(self.states(pixels), max(layers) + 1)
        kept = {index: x for index, x in enumerate(states) if index in layers}
        return [kept[layer] for layer in layers]

    def forward(self, pixels: Tensor, trace: Trace | None = None) -> Tensor:
        """[N, 3, S, S] -> the last layer's output [N, P, D], normalised where the network ends in a norm.

        The hidden states of a trace are those before that norm, as the reference has it.
        """
        for x in self.states(pixels, None if trace is None else trace.attentions):
            if trace is not None:
                trace.hidden_states.append(x)
        return x if self.final_norm is None else self.final_norm(x)


def _relative(config: VisionConfig) -> RelativePositionBias:
    """BEiT's bias by the distance between two patches."""
    return RelativePositionBias(*config.patch_grid, config.num_attention_heads, class_token=config.class_token)
