"""Parts of a LLaVA under their documented names: modules that share its weights.

B batch  T sequence  N tiles  P positions
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from llavacli_core.documented.models.cache import DynamicCache
from llavacli_core.documented.models.outputs import BaseModelOutput
from llavacli_core.documented.models.tracing import encode
from llavacli_core.nn.vit import VisionTransformer


class VisionTower(nn.Module):
    """The tower."""

    def __init__(self, network: VisionTransformer, config: Any) -> None:
        super().__init__()
        self.network, self.config = network, config

    def forward(
        self, pixel_values: Tensor, *, output_attentions: bool = False, output_hidden_states: bool = False
    ) -> BaseModelOutput:
        """[N, 3, height, width] -> the last hidden states [N, P, D], not normalised, and what else is asked for."""
        pixels = pixel_values.to(self.network.patch_weight.dtype)
        return encode(self.network, pixels, attentions=output_attentions, hidden_states=output_hidden_states)


class LanguageModel(nn.Module):
    """The decoder, from ids or embeddings to hidden states."""

    def __init__(self, whole: Any) -> None:
        super().__init__()
        self.network, self.config = whole.network.decoder, whole.config.get_text_config()
        self._whole = (whole,)  # in a tuple it is no module of this one, whose weights are the decoder's alone

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: DynamicCache | None = None,
        inputs_embeds: Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """Ids [B, T] or embeddings [B, T, D] -> the last hidden states [B, T, D]; keywords as of the whole model."""
        return self._whole[0](
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            **kwargs,
        )
