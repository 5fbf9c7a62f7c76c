"""Pictures and clips through the tower and the connector, by the layers and the strategy that a call asks for.

N tiles  S pixels along a tile's edge  P patches  D the decoder's hidden size  E the tower's
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from llavacli_core.config import ModelConfig
from llavacli_core.errors import BadOption
from llavacli_core.geometry import Grid, best_resolution
from llavacli_core.nn.connector import Connector
from llavacli_core.nn.llava import Llava
from llavacli_core.portions import TILES_AT_ONCE


@dataclass(frozen=True)
class Seen:
    """What the connector made of tiles, [N, P, D], and what the tower's last layer said, [N, positions, E]."""

    features: Tensor
    last: Tensor
    hidden_states: tuple[Tensor, ...] | None


def chosen_layers(layer: int | Sequence[int], config: ModelConfig) -> tuple[int, ...]:
    """`vision_feature_layer` as indices from 0, the embeddings, on."""
    states = config.vision.num_hidden_layers + 1
    layers = [layer] if isinstance(layer, int) else list(layer)
    if not layers or not all(-states <= index < states for index in layers):
        raise BadOption(f"vision_feature_layer must be between -{states} and {states - 1}, not {layer}")
    return tuple(index % states for index in layers)


def selecting(connector: Connector, strategy: str) -> Connector:
    """The same connector with another `vision_feature_select_strategy`; the weights are shared."""
    if strategy not in ("default", "full"):
        raise ValueError(f"vision_feature_select_strategy is default or full, not {strategy!r}")
    if strategy == connector.config.vision_feature_select_strategy:
        return connector
    other = copy.copy(connector)
    other.config = replace(connector.config, vision_feature_select_strategy=strategy)
    return other


def look(
    network: Llava, pixels: Tensor, layers: tuple[int, ...], strategy: str, *, frames: bool = False, trace: bool = False
) -> Seen:
    """[N, 3, S, S] through the tower and the connector; with a `trace`, every hidden state is kept."""
    connector = selecting(network.connector, strategy)
    project = connector.project_frames if frames else connector.project
    last = len(network.vision.blocks)
    batches = []
    for tiles in pixels.to(network.vision.patch_weight.dtype).split(TILES_AT_ONCE):
        states = {index: x for index, x in enumerate(network.vision.states(tiles)) if trace or index in (*layers, last)}
        features = project([states[layer] for layer in layers])
        batches.append((features, states[last], *(states.values() if trace else ())))
    features, final, *every = (torch.cat(parts) for parts in zip(*batches, strict=True))
    return Seen(features, final, tuple(every) if trace else None)


def grid_of(size: Tensor | Sequence[int], config: ModelConfig) -> Grid:
    """The grid that a picture of `size` (height, width) was cut into."""
    height, width = (int(edge) for edge in size)
    assert config.image_grid_pinpoints is not None
    side = config.vision.image_size[0]
    rows, cols = best_resolution(width, height, config.image_grid_pinpoints)
    return Grid(rows // side, cols // side, width, height)


def tiles_of(pixels: Tensor, grids: Sequence[Grid]) -> Tensor:
    """All pictures' tiles in one batch: those that fill pictures of fewer tiles up are dropped."""
    if pixels.dim() == 4:
        return pixels
    if pixels.dim() != 5:
        raise ValueError(f"pixel_values have 4 or 5 dimensions, not those of {list(pixels.shape)}")
    return torch.cat([picture[: grid.tiles] for picture, grid in zip(pixels, grids, strict=True)])
