"""The Swin transformer (Liu et al. 2021): attention within windows, shifted in every second layer.

N pictures  R rows and C columns of patches  D hidden size of the stage  W windows  P patches of a window
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from llavacli_core.config import SwinConfig
from llavacli_core.nn.activations import ACTIVATIONS
from llavacli_core.nn.linear import Linear
from llavacli_core.nn.norms import LayerNorm
from llavacli_core.nn.self_attention import RelativePositionBias, SelfAttention
from llavacli_core.nn.trace import Trace

EPS = 1e-5  # of the norms after the patches and before merging, whatever config.json says of the others
ACROSS = -100.0  # added to the score of two patches that only the shift brought together


class Block(nn.Module):
    """One layer, pre-normalised: attention within windows, the next layer's windows lying across their borders."""

    def __init__(self, config: SwinConfig, stage: int, *, shifted: bool, kernel: str) -> None:
        super().__init__()
        size, heads = config.embed_dim * 2**stage, config.num_heads[stage]
        self.window = config.window_size
        self.shift = config.window_size // 2 if shifted else 0
        self.attention_norm = LayerNorm(size, config.layer_norm_eps)
        self.attention = SelfAttention(size, heads, bias=config.qkv_bias, key_bias=True, kernel=kernel)
        self.relative = RelativePositionBias(self.window, self.window, heads, class_token=False)
        self.mlp_norm = LayerNorm(size, config.layer_norm_eps)
        self.up = Linear(size, int(size * config.mlp_ratio), bias=True)
        self.down = Linear(int(size * config.mlp_ratio), size, bias=True)
        self.act = ACTIVATIONS[config.hidden_act]

    def forward(self, x: Tensor, weights: list[Tensor] | None) -> Tensor:
        """[N, R, C, D] -> [N, R, C, D]."""
        x = x + self.attend(self.attention_norm(x), weights)
        return x + self.down(self.act(self.up(self.mlp_norm(x))))  # type: ignore[no-any-return]

    def attend(self, x: Tensor, weights: list[Tensor] | None) -> Tensor:
        """[N, R, C, D] -> [N, R, C, D]: padded to whole windows, shifted, cut, attended to, and all of it undone."""
        pictures, rows, cols, size = x.shape
        window, shift = self.window, self.shift
        if min(rows, cols) <= window:  # one window spans the shorter edge: there is nothing to shift
            window, shift = min(rows, cols), 0
        x = F.pad(x, (0, 0, 0, -cols % window, 0, -rows % window))
        height, width = x.shape[1:3]
        bias = self.relative(window, window)
        if shift:
            x = x.roll((-shift, -shift), (1, 2))
            bias = (bias + strangers(height, width, window, shift, x)).repeat(pictures, 1, 1, 1)
        y = self.attention(cut(x, window), bias, weights)
        y = y.view(pictures, height // window, width // window, window, window, size)
        y = y.transpose(2, 3).reshape(pictures, height, width, size)
        if shift:
            y = y.roll((shift, shift), (1, 2))
        return y[:, :rows, :cols]  # type: ignore[no-any-return]


class Stage(nn.Module):
    """Layers of one size, then (`merging`) four patches made one of twice the size."""

    def __init__(self, config: SwinConfig, stage: int, *, merging: bool, kernel: str) -> None:
        super().__init__()
        size = config.embed_dim * 2**stage
        self.blocks = nn.ModuleList(
            Block(config, stage, shifted=index % 2 == 1, kernel=kernel) for index in range(config.depths[stage])
        )
        self.merge_norm = LayerNorm(4 * size, EPS) if merging else None
        self.merge = Linear(4 * size, 2 * size, bias=False) if merging else None

    def forward(self, x: Tensor, weights: list[Tensor] | None) -> Tensor:
        """[N, R, C, D] -> [N, R, C, D], merged [N, R / 2, C / 2, 2 D]. `weights` gets the last layer's attention."""
        for index, block in enumerate(self.blocks, start=1):
            x = block(x, weights if index == len(self.blocks) else None)
        if self.merge is None or self.merge_norm is None:
            return x
        x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        quarters = [x[:, row::2, col::2] for col in (0, 1) for row in (0, 1)]
        return self.merge(self.merge_norm(torch.cat(quarters, dim=-1)))  # type: ignore[no-any-return]


class Swin(nn.Module):
    """Patches embedded, stages of windowed layers, a final norm. Pictures of any size, unless it has positions."""

    def __init__(self, config: SwinConfig, *, kernel: str = "sdpa") -> None:
        super().__init__()
        self.config = config
        size, stages = config.embed_dim, len(config.depths)
        rows, cols = config.image_size[0] // config.patch_size[0], config.image_size[1] // config.patch_size[1]
        self.patch_weight = nn.Parameter(torch.empty(size, config.num_channels, *config.patch_size))
        self.patch_bias = nn.Parameter(torch.empty(size))
        self.patch_norm = LayerNorm(size, EPS)
        self.positions = nn.Parameter(torch.empty(rows * cols, size)) if config.position_embeddings else None
        self.stages = nn.ModuleList(
            Stage(config, stage, merging=stage < stages - 1, kernel=kernel) for stage in range(stages)
        )
        self.final_norm = LayerNorm(config.hidden_size, config.layer_norm_eps)

    def embed(self, pixels: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, R, C, D]; patches that the picture does not fill are padded with zeros."""
        height, width = self.config.patch_size
        pixels = F.pad(pixels, (0, -pixels.shape[3] % width, 0, -pixels.shape[2] % height))
        x = F.conv2d(pixels, self.patch_weight, self.patch_bias, stride=self.config.patch_size)
        x = self.patch_norm(x.permute(0, 2, 3, 1))
        return x if self.positions is None else x + self.positions.view(x.shape[1:])  # type: ignore[no-any-return]

    def forward(self, pixels: Tensor, trace: Trace | None = None) -> Tensor:
        """[N, 3, H, W] -> the last stage's output, normalised, [N, R * C, D].

        As in the reference, a trace gets one entry for each stage: its output, merged and not normalised, and the
        attention of its last layer, [N * W, H, P, P].
        """
        x = self.embed(pixels)
        if trace is not None:
            trace.hidden_states.append(x.flatten(1, 2))
        for stage in self.stages:
            x = stage(x, None if trace is None else trace.attentions)
            if trace is not None:
                trace.hidden_states.append(x.flatten(1, 2))
        return self.final_norm(x.flatten(1, 2))  # type: ignore[no-any-return]


def cut(x: Tensor, window: int) -> Tensor:
    """[N, R, C, D] -> [N * W, P, D], window by window, row by row."""
    pictures, height, width, size = x.shape
    x = x.view(pictures, height // window, window, width // window, window, size)
    return x.transpose(2, 3).reshape(-1, window * window, size)


def strangers(height: int, width: int, window: int, shift: int, like: Tensor) -> Tensor:
    """What keeps patches apart that are neighbours only because the picture was rolled, [W, 1, P, P]."""
    row, col = torch.arange(height, device=like.device), torch.arange(width, device=like.device)
    # The regions along an edge: windows left whole, the last window's own part, and what was rolled into it.
    rows = (row >= height - window).int() + (row >= height - shift).int()
    cols = (col >= width - window).int() + (col >= width - shift).int()
    regions = cut((rows[:, None] * 3 + cols)[None, :, :, None], window)[..., 0]  # [W, P]
    apart = regions[:, None, :] != regions[:, :, None]
    return torch.zeros(apart.shape, dtype=like.dtype, device=like.device).masked_fill(apart, ACROSS)[:, None]
