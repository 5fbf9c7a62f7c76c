"""From the tower's patches to the decoder's embeddings: select, project, and (NeXT) unpad and break into lines.

N tiles  P patches of a tile  D the decoder's hidden size
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from llavacli_core.config import ModelConfig
from llavacli_core.geometry import Grid, unpadded
from llavacli_core.nn.activations import ACTIVATIONS
from llavacli_core.nn.linear import Linear


class Connector(nn.Module):
    """A two-layer projector over the selected hidden states; tiles are then laid out as the picture they came from."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config.connector
        self.side = config.vision.side
        layers, size = self.config.vision_feature_layers, config.decoder.hidden_size
        self.up = Linear(config.vision.hidden_size * len(layers), size, bias=self.config.projector_bias)
        self.act = ACTIVATIONS[self.config.projector_hidden_act]
        self.down = Linear(size, size, bias=self.config.projector_bias)
        self.newline = nn.Parameter(torch.empty(size)) if self.config.image_newline else None

    def project(self, hidden_states: list[Tensor]) -> Tensor:
        """The selected layers' states, [N, positions, ...] each -> [N, P, D]."""
        x = torch.cat(hidden_states, dim=-1)
        if self.config.vision_feature_select_strategy == "default":
            x = x[:, 1:]
        return self.down(self.act(self.up(x)))  # type: ignore[no-any-return]

    def pack(self, features: Tensor, grid: Grid) -> Tensor:
        """One picture's [tiles, P, D] -> [tokens, D]: the overview, then the tiles' rows, each with its newline."""
        overview = features[0]
        if self.newline is None:
            return overview
        newline = self.newline.to(features.dtype)
        if grid.rows == 0:
            return torch.cat((overview, newline[None]))
        side = self.side
        tiles = features[1:].view(grid.rows, grid.cols, side, side, -1).transpose(1, 2)
        tiles = tiles.reshape(grid.rows * side, grid.cols * side, -1)  # patches where they lie in the picture
        rows, cols = unpadded(grid, side)
        top, left = (tiles.shape[0] - rows) // 2, (tiles.shape[1] - cols) // 2
        lines = tiles[top : top + rows, left : left + cols]
        lines = torch.cat((lines, newline.expand(rows, 1, -1)), dim=1)
        return torch.cat((overview, lines.flatten(0, 1)))
