"""ViP-LLaVA.

N pictures  B batch  T sequence  D the decoder's hidden size  V vocabulary
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from llavacli_core.documented.configs.base import PreTrainedConfig
from llavacli_core.documented.configs.multimodal import VipLlavaConfig
from llavacli_core.documented.models.cache import DynamicCache
from llavacli_core.documented.models.call import Call, Layers
from llavacli_core.documented.models.multimodal import Conditional, Headless, MultimodalModel
from llavacli_core.documented.models.outputs import VisionOutput


class VipLlavaPreTrainedModel(MultimodalModel):
    """ViP-LLaVA, with its head or without."""

    config_class: ClassVar[type[PreTrainedConfig]] = VipLlavaConfig

    def image_features(self, call: Call, *, states: bool = False) -> VisionOutput:
        """`pooler_output`: all pictures [N, tokens, D] in one, for none has more tokens than another."""
        found = super().image_features(call, states=states)
        return replace(found, pooler_output=torch.stack(found.pooler_output))

    def get_image_features(
        self,
        pixel_values: Tensor,
        vision_feature_layer: Layers = None,
        *,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> VisionOutput | tuple[Any, ...]:
        """Pictures through tower and projector; `pooler_output` holds what takes their tokens' places."""
        call = Call(
            pixel_values=pixel_values,
            vision_feature_layer=vision_feature_layer,
            return_dict=return_dict,
        )
        return self.shaped(self.image_features(call, states=bool(output_hidden_states)), call)  # type: ignore[no-any-return]


class VipLlavaModel(Headless, VipLlavaPreTrainedModel):
    """ViP-LLaVA without its head."""

    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: DynamicCache | None = None,
        inputs_embeds: Tensor | None = None,
        vision_feature_layer: Layers = None,
        use_cache: bool | None = None,
        *,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        cache_position: Tensor | None = None,
    ) -> Any:
        """The last hidden states [B, T, D], and on request the cache, hidden states and attention weights."""
        call = Call(
            input_ids=input_ids,
            pixel_values=pixel_values,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            vision_feature_layer=vision_feature_layer,
            use_cache=use_cache,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            return_dict=return_dict,
        )
        return self.answer(call)


class VipLlavaForConditionalGeneration(Conditional, VipLlavaPreTrainedModel):
    """ViP-LLaVA."""

    headless: ClassVar[type[Headless]] = VipLlavaModel

    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: DynamicCache | None = None,
        inputs_embeds: Tensor | None = None,
        vision_feature_layer: Layers = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        *,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        cache_position: Tensor | None = None,
    ) -> Any:
        """Scores [B, T, V], with labels (-100: ignored) the loss, and what else is asked for."""
        call = Call(
            input_ids=input_ids,
            pixel_values=pixel_values,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            vision_feature_layer=vision_feature_layer,
            labels=labels,
            use_cache=use_cache,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            return_dict=return_dict,
            logits_to_keep=logits_to_keep,
        )
        return self.answer(call)
