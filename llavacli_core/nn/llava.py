"""The whole network: a vision tower, a connector, a decoder.

B batch  T sequence  N tiles  F frames  S pixels along a tile's edge  D hidden size  V vocabulary
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from llavacli_core.config import ModelConfig
from llavacli_core.geometry import Grid
from llavacli_core.nn.connector import Connector
from llavacli_core.nn.decoder import Decoder, causal_loss
from llavacli_core.nn.rows import Rows
from llavacli_core.nn.vit import VisionTransformer
from llavacli_core.portions import TILES_AT_ONCE


class Llava(nn.Module):
    """All the LLaVAs. Made with uninitialised weights; `kernel` is how attention is computed: sdpa, flash or eager.

    Of the tower's layers only those are built that are looked at, unless it shall be `whole`.
    """

    def __init__(self, config: ModelConfig, *, kernel: str = "sdpa", whole: bool = False) -> None:
        super().__init__()
        self.config = config
        self.layers = config.connector.vision_feature_layers
        depth = config.vision.num_hidden_layers if whole else max(self.layers)
        self.vision = VisionTransformer(config.vision, depth=depth, kernel=kernel)
        self.connector = Connector(config)
        self.decoder = Decoder(config.decoder, kernel=kernel)

    def image_features(self, pixels: Tensor, grids: Sequence[Grid]) -> list[Tensor]:
        """All tiles of all pictures, [N, 3, S, S], through the tower together -> [tokens, D] for each picture."""
        features = self._encode(pixels, self.connector.project)
        tiles = features.split([grid.tiles for grid in grids])
        return [self.connector.pack(part, grid) for part, grid in zip(tiles, grids, strict=True)]

    def video_features(self, pixels: Tensor) -> Tensor:
        """A video's frames [F, 3, S, S] -> [tokens, D], frame after frame, each pooled and without newlines."""
        return self._encode(pixels, self.connector.project_frames).flatten(0, 1)

    def _encode(self, pixels: Tensor, project: Callable[[list[Tensor]], Tensor]) -> Tensor:
        """[N, 3, S, S] through the tower and `project`, in batches that fit in memory -> [N, tokens, D]."""
        return torch.cat(
            [project(self.vision.hidden_states(tiles, self.layers)) for tiles in pixels.split(TILES_AT_ONCE)]
        )

    def embed(self, ids: Tensor, images: Sequence[Tensor] = (), videos: Sequence[Tensor] = ()) -> Tensor:
        """Ids [B, T] -> [B, T, D], with the features of each kind, in order, where its tokens stand."""
        x = place(self.decoder.embed(ids), ids, "image", self.config.image_token_id, images)
        return place(x, ids, "video", self.config.video_token_id, videos)

    def step(self, tokens: Tensor, rows: Rows) -> Tensor:
        """Append tokens to every row, ids [R, T]; scores of what follows each, [R, T, V]."""
        return self.decoder.step_rows(tokens, rows)

    def forward(
        self,
        ids: Tensor,
        pixels: Tensor | None = None,
        grids: Sequence[Grid] = (),
        labels: Tensor | None = None,
        videos: Sequence[Tensor] = (),
    ) -> tuple[Tensor, Tensor | None]:
        """Ids [B, T] -> logits [B, T, V], and with `labels` [B, T] (-100: ignored) the loss. Right-padding is harmless.

        `pixels` [N, 3, S, S] are all pictures' tiles; each of `videos` is [F, 3, S, S].
        Differentiable; generation goes by `embed`, `decoder` and a cache instead.
        """
        images = [] if pixels is None else self.image_features(pixels, grids)
        frames = [self.video_features(video) for video in videos]
        logits = self.decoder.logits(self.decoder(self.embed(ids, images, frames)))
        return logits, None if labels is None else causal_loss(logits, labels)


def place(x: Tensor, ids: Tensor, kind: str, token_id: int | None, features: Sequence[Tensor]) -> Tensor:
    """Embeddings [B, T, D] with all `features`, [tokens, D] each, in order where the `kind`'s token stands in `ids`."""
    if not features:
        return x
    if token_id is None:
        raise ValueError(f"this network has no token for a {kind}")
    spots = ids == token_id
    joined = torch.cat(tuple(features)).to(x.dtype)
    if int(spots.sum()) != len(joined):
        raise ValueError(f"{int(spots.sum())} {kind} tokens for {len(joined)} {kind} features")
    return x.masked_scatter(spots[..., None], joined)
