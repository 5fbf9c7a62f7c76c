"""The arguments of `forward`, of every LLaVA.

B batch  S positions, those in the cache included
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from llavacli_core.documented.models.cache import DynamicCache

Layers = int | list[int] | tuple[int, ...] | None

# What a prompt consists of: the arguments of `generate` that are no parameters of it.
PROMPT = (
    *("input_ids", "pixel_values", "pixel_values_videos", "image_sizes", "attention_mask", "inputs_embeds"),
    *("vision_feature_layer", "vision_feature_select_strategy"),
)


@dataclass(frozen=True, kw_only=True)
class Call:
    """The arguments of `forward` under their documented names; what a family does not take stays None."""

    input_ids: Tensor | None = None
    pixel_values: Tensor | None = None
    pixel_values_videos: Tensor | None = None
    image_sizes: Tensor | None = None
    attention_mask: Tensor | None = None
    position_ids: Tensor | None = None
    past_key_values: DynamicCache | None = None
    inputs_embeds: Tensor | None = None
    vision_feature_layer: Layers = None
    vision_feature_select_strategy: str | None = None
    labels: Tensor | None = None
    use_cache: bool | None = None
    logits_to_keep: int | Tensor = 0
    output_attentions: bool | None = None
    output_hidden_states: bool | None = None
    return_dict: bool | None = None


def present_positions(mask: Tensor | None, start: int, length: int) -> Tensor | None:
    """`attention_mask` over all positions [B, S], true at tokens; None where nothing is padding.

    A mask of the new positions alone means that all before them are tokens.
    """
    if mask is None:
        return None
    if mask.dim() != 2 or mask.shape[1] not in (length, start + length):
        raise ValueError(f"attention_mask is [batch, {start + length}], not {list(mask.shape)}")
    present = mask.bool()
    if mask.shape[1] == length and start:
        present = torch.cat((present.new_ones(len(present), start), present), dim=1)
    return None if bool(present.all()) else present
