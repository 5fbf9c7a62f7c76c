"""The vision transformer: CLIP and SigLIP by config values alone.

N tiles  S pixels along a tile's edge  P positions (patches, and [CLS] where there is one)  D hidden size
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from llavacli_core.config import VisionConfig
from llavacli_core.nn.activations import ACTIVATIONS
from llavacli_core.nn.attention import attend
from llavacli_core.nn.linear import Linear
from llavacli_core.nn.norms import LayerNorm


class Attention(nn.Module):
    """Every position looks at every other."""

    def __init__(self, config: VisionConfig, kernel: str) -> None:
        super().__init__()
        self.heads, self.kernel = config.num_attention_heads, kernel
        size = config.hidden_size
        self.qkv = Linear(size, size, size, size, bias=True)
        self.out = Linear(size, size, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """[N, P, D] -> [N, P, D]."""
        tiles, positions, size = x.shape
        qkv = self.qkv(x).view(tiles, positions, 3, self.heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # [N, H, P, C] each
        y = attend(q, k, v, None, causal=False, kernel=self.kernel)
        return self.out(y.transpose(1, 2).reshape(tiles, positions, size))  # type: ignore[no-any-return]


class Block(nn.Module):
    """One layer, pre-normalised."""

    def __init__(self, config: VisionConfig, kernel: str) -> None:
        super().__init__()
        self.attention_norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.attention = Attention(config, kernel)
        self.mlp_norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.up = Linear(config.hidden_size, config.intermediate_size, bias=True)
        self.down = Linear(config.intermediate_size, config.hidden_size, bias=True)
        self.act = ACTIVATIONS[config.hidden_act]

    def forward(self, x: Tensor) -> Tensor:
        """[N, P, D] -> [N, P, D]."""
        x = x + self.attention(self.attention_norm(x))
        return x + self.down(self.act(self.up(self.mlp_norm(x))))  # type: ignore[no-any-return]


class VisionTransformer(nn.Module):
    """Patches embedded, positions added, `depth` layers; nothing beyond the deepest layer asked for exists."""

    def __init__(self, config: VisionConfig, *, depth: int, kernel: str = "sdpa") -> None:
        super().__init__()
        self.config = config
        size, patch = config.hidden_size, config.patch_size
        self.patch_weight = nn.Parameter(torch.empty(size, config.num_channels, patch, patch))
        self.patch_bias = nn.Parameter(torch.empty(size)) if config.patch_bias else None
        self.class_embedding = nn.Parameter(torch.empty(size)) if config.class_token else None
        self.positions = nn.Parameter(torch.empty(config.side**2 + config.class_token, size))
        self.pre_norm = LayerNorm(size, config.layer_norm_eps) if config.pre_layernorm else None
        self.blocks = nn.ModuleList(Block(config, kernel) for _ in range(depth))

    def embed(self, pixels: Tensor) -> Tensor:
        """[N, 3, S, S] -> [N, P, D]."""
        x = F.conv2d(pixels, self.patch_weight, self.patch_bias, stride=self.config.patch_size)
        x = x.flatten(2).transpose(1, 2)
        if self.class_embedding is not None:
            x = torch.cat((self.class_embedding.to(x.dtype).expand(len(x), 1, -1), x), dim=1)
        x = x + self.positions
        return x if self.pre_norm is None else self.pre_norm(x)

    def forward(self, pixels: Tensor, layers: tuple[int, ...]) -> list[Tensor]:
        """[N, 3, S, S] -> hidden states [N, P, D] of each of `layers`: 0 the embeddings, i the output of layer i."""
        x = self.embed(pixels)
        kept = {0: x}
        for index, block in enumerate(self.blocks, start=1):
            x = block(x)
            if index in layers:
                kept[index] = x
        return [kept[layer] for layer in layers]
