"""What AnyRes adds to a LLaVA: pictures of several tiles, unpadded, with newlines.

D the decoder's hidden size
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from llavacli_core.documented.models.call import Call
from llavacli_core.documented.models.multimodal import MultimodalModel
from llavacli_core.documented.models.outputs import VisionOutput
from llavacli_core.documented.models.seeing import grid_of, tiles_of
from llavacli_core.nn.connector import lay_out


class TiledModel(MultimodalModel):
    """A LLaVA-NeXT, with its head or without."""

    def image_features(self, call: Call, *, states: bool = False) -> VisionOutput:
        """`pooler_output`: for each picture, [tokens, D]."""
        if call.image_sizes is None:
            raise ValueError("pixel_values need image_sizes, the pictures' (height, width)")
        assert call.pixel_values is not None
        grids = [grid_of(size, self.parsed) for size in call.image_sizes]
        tiles = tiles_of(call.pixel_values, grids)
        layer, strategy = call.vision_feature_layer, call.vision_feature_select_strategy
        seen = self.see(tiles, layer, strategy, frames=False, states=states)
        parts = seen.features.split([grid.tiles for grid in grids])
        pictures = self.pack_image_features(parts, call.image_sizes, strategy, self.network.connector.newline)[0]
        return VisionOutput(seen.last, pictures, seen.hidden_states)

    def pack_image_features(
        self,
        image_features: Sequence[Tensor],
        image_sizes: Tensor,
        vision_feature_select_strategy: str | None = None,
        image_newline: Tensor | None = None,
    ) -> tuple[list[Tensor], Tensor]:
        """Each picture's [tiles, patches, D] -> [tokens, D], unpadded, rows ending in `image_newline`; the lengths."""
        side = self.parsed.vision.side
        pictures = []
        for features, size in zip(image_features, image_sizes, strict=True):
            grid = grid_of(size, self.parsed)
            if len(features) == 1:
                grid = replace(grid, rows=0, cols=0)
            pictures.append(lay_out(features, grid, side, image_newline))
        lengths = torch.tensor([len(picture) for picture in pictures], device=pictures[0].device)
        return pictures, lengths
