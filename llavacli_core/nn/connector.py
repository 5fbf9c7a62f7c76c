"""From the tower's patches to the decoder's embeddings: select, pool (frames), project, unpad and break into lines.

N tiles  F frames  P patches of a tile  D the decoder's hidden size
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from llavacli_core.config import ModelConfig, PoolingConfig
from llavacli_core.geometry import Grid, unpadded
from llavacli_core.nn.activations import ACTIVATIONS
from llavacli_core.nn.linear import Linear
from llavacli_core.nn.norms import LayerNorm


class Pool(nn.Module):
    """Patches of a square, a window of stride x stride at a time; what does not fill a window is left out."""

    def __init__(self, config: PoolingConfig, channels: int) -> None:
        super().__init__()
        self.mode, self.stride = config.mode, config.stride
        window = channels, channels, config.stride, config.stride
        self.weight = nn.Parameter(torch.empty(window)) if config.mode == "conv" else None
        self.bias = nn.Parameter(torch.empty(channels)) if config.mode == "conv" else None

    def forward(self, x: Tensor) -> Tensor:
        """[F, P, channels] -> [F, fewer, channels]."""
        square = x.transpose(1, 2).unflatten(2, (math.isqrt(x.shape[1]), -1))
        if self.weight is not None:
            pooled = F.conv2d(square, self.weight, self.bias, stride=self.stride)
        elif self.mode == "max":
            pooled = F.max_pool2d(square, self.stride)
        else:
            pooled = F.avg_pool2d(square, self.stride)
        return pooled.flatten(2).transpose(1, 2)


class Connector(nn.Module):
    """A two-layer projector over the selected hidden states; tiles are then laid out as the picture they came from."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config.connector
        self.side = config.vision.side
        layers, size = self.config.vision_feature_layers, config.decoder.hidden_size
        channels = config.vision.hidden_size * len(layers)
        eps, pooling = self.config.projector_layernorm_eps, self.config.pooling
        self.norm = None if eps is None else LayerNorm(channels, eps)
        self.pool = None if pooling is None else Pool(pooling, channels)
        self.up = Linear(channels, size, bias=self.config.projector_bias)
        self.act = ACTIVATIONS[self.config.projector_hidden_act]
        self.down = Linear(size, size, bias=self.config.projector_bias)
        self.newline = nn.Parameter(torch.empty(size)) if self.config.image_newline else None

    def project(self, hidden_states: list[Tensor]) -> Tensor:
        """The selected layers' states, [N, positions, ...] each -> [N, P, D]."""
        return self._project(self._select(hidden_states))

    def project_frames(self, hidden_states: list[Tensor]) -> Tensor:
        """The selected layers' states, [F, positions, ...] each -> [F, tokens of a frame, D]."""
        if self.pool is None:
            raise ValueError("this network takes no videos")
        return self._project(self.pool(self._select(hidden_states)))

    def pack(self, features: Tensor, grid: Grid) -> Tensor:
        """One picture's [tiles, P, D] -> [tokens, D]: the overview, then the tiles' rows, each with its newline."""
        return features[0] if self.newline is None else lay_out(features, grid, self.side, self.newline)

    def _select(self, hidden_states: list[Tensor]) -> Tensor:
        """The layers side by side, [N, P, channels], without [CLS] where the strategy drops it."""
        x = torch.cat(hidden_states, dim=-1)
        return x[:, 1:] if self.config.vision_feature_select_strategy == "default" else x

    def _project(self, x: Tensor) -> Tensor:
        """[N, P, channels] -> [N, P, D]."""
        if self.norm is not None:
            x = self.norm(x)
        return self.down(self.act(self.up(x)))  # type: ignore[no-any-return]


def lay_out(features: Tensor, grid: Grid, side: int, newline: Tensor | None) -> Tensor:
    """A tiled picture's [tiles, P, D] -> [tokens, D]: the overview, then the tiles' rows, each with `newline` [D]."""
    overview = features[0]
    if grid.rows == 0:
        return overview if newline is None else torch.cat((overview, newline[None].to(features)))
    tiles = features[1:].view(grid.rows, grid.cols, side, side, -1).transpose(1, 2)
    tiles = tiles.reshape(grid.rows * side, grid.cols * side, -1)  # patches where they lie in the picture
    rows, cols = unpadded(grid, side)
    top, left = (tiles.shape[0] - rows) // 2, (tiles.shape[1] - cols) // 2
    lines = tiles[top : top + rows, left : left + cols]
    if newline is not None:
        lines = torch.cat((lines, newline.to(features).expand(rows, 1, -1)), dim=1)
    return torch.cat((overview, lines.flatten(0, 1)))
