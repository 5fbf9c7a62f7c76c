"""The whole network: a vision tower, a connector, a decoder.

B batch  T sequence  N tiles  S pixels along a tile's edge  D hidden size  V vocabulary
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from llavacli_core.config import ModelConfig
from llavacli_core.geometry import Grid
from llavacli_core.nn.connector import Connector
from llavacli_core.nn.decoder import Decoder, causal_loss
from llavacli_core.nn.rows import Rows
from llavacli_core.nn.vit import VisionTransformer


class Llava(nn.Module):
    """LLaVA and LLaVA-NeXT. Made with uninitialised weights; `kernel` is how attention is computed: sdpa or eager."""

    def __init__(self, config: ModelConfig, *, kernel: str = "sdpa") -> None:
        super().__init__()
        self.config = config
        self.layers = config.connector.vision_feature_layers
        self.vision = VisionTransformer(config.vision, depth=max(self.layers), kernel=kernel)
        self.connector = Connector(config)
        self.decoder = Decoder(config.decoder, kernel=kernel)

    def image_features(self, pixels: Tensor, grids: Sequence[Grid]) -> list[Tensor]:
        """All tiles of all pictures, [N, 3, S, S], through the tower as one batch -> [tokens, D] for each picture."""
        features = self.connector.project(self.vision(pixels, self.layers))
        tiles = features.split([grid.tiles for grid in grids])
        return [self.connector.pack(part, grid) for part, grid in zip(tiles, grids, strict=True)]

    def embed(self, ids: Tensor, features: Sequence[Tensor]) -> Tensor:
        """Ids [B, T] -> [B, T, D], with the pictures' features, in order, where the image tokens stand."""
        x = self.decoder.embed(ids)
        if not features:
            return x
        spots = ids == self.config.image_token_id
        joined = torch.cat(tuple(features)).to(x.dtype)
        if int(spots.sum()) != len(joined):
            raise ValueError(f"{int(spots.sum())} image tokens for {len(joined)} image features")
        return x.masked_scatter(spots[..., None], joined)

    def step(self, tokens: Tensor, rows: Rows) -> Tensor:
        """Append one token to every row, ids [R]; scores of the next ones, [R, V]."""
        return self.decoder.step_rows(tokens, rows)

    def forward(
        self, ids: Tensor, pixels: Tensor | None = None, grids: Sequence[Grid] = (), labels: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Ids [B, T] -> logits [B, T, V], and with `labels` [B, T] (-100: ignored) the loss. Right-padding is harmless.

        Differentiable; generation goes by `embed`, `decoder` and a cache instead.
        """
        features = [] if pixels is None else self.image_features(pixels, grids)
        logits = self.decoder.logits(self.decoder(self.embed(ids, features)))
        return logits, None if labels is None else causal_loss(logits, labels)
