"""LLaVA-NeXT."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from llavacli_core.documented.configs.base import PreTrainedConfig
from llavacli_core.documented.configs.multimodal import LlavaNextConfig
from llavacli_core.documented.models.cache import DynamicCache
from llavacli_core.documented.models.call import Call, Layers
from llavacli_core.documented.models.multimodal import Conditional, Headless
from llavacli_core.documented.models.outputs import VisionOutput
from llavacli_core.documented.models.tiled import TiledModel


class LlavaNextPreTrainedModel(TiledModel):
    """LLaVA-NeXT, with its head or without."""

    config_class: ClassVar[type[PreTrainedConfig]] = LlavaNextConfig

    def get_image_features(
        self,
        pixel_values: Tensor,
        image_sizes: Tensor,
        vision_feature_layer: Layers = None,
        vision_feature_select_strategy: str | None = None,
        *,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> VisionOutput | tuple[Any, ...]:
        """Pictures through tower and projector; `pooler_output` holds what takes their tokens' places."""
        call = Call(
            pixel_values=pixel_values,
            image_sizes=image_sizes,
            vision_feature_layer=vision_feature_layer,
            vision_feature_select_strategy=vision_feature_select_strategy,
            return_dict=return_dict,
        )
        return self.shaped(self.image_features(call, states=bool(output_hidden_states)), call)  # type: ignore[no-any-return]


class LlavaNextModel(Headless, LlavaNextPreTrainedModel):
    """LLaVA-NeXT without its head."""

    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        image_sizes: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: DynamicCache | None = None,
        inputs_embeds: Tensor | None = None,
        vision_feature_layer: Layers = None,
        vision_feature_select_strategy: str | None = None,
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
            image_sizes=image_sizes,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            vision_feature_layer=vision_feature_layer,
            vision_feature_select_strategy=vision_feature_select_strategy,
            use_cache=use_cache,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            return_dict=return_dict,
        )
        return self.answer(call)


class LlavaNextForConditionalGeneration(Conditional, LlavaNextPreTrainedModel):
    """LLaVA-NeXT."""

    headless: ClassVar[type[Headless]] = LlavaNextModel

    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        image_sizes: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: DynamicCache | None = None,
        inputs_embeds: Tensor | None = None,
        vision_feature_layer: Layers = None,
        vision_feature_select_strategy: str | None = None,
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
            image_sizes=image_sizes,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            vision_feature_layer=vision_feature_layer,
            vision_feature_select_strategy=vision_feature_select_strategy,
            labels=labels,
            use_cache=use_cache,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            return_dict=return_dict,
            logits_to_keep=logits_to_keep,
        )
        return self.answer(call)
