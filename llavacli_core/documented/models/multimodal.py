"""What the LLaVAs share: features of pictures and clips in their places, then the decoder, its cache and its traces.

B batch  T sequence  S positions, those in the cache included  D hidden size  V vocabulary
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from llavacli_core.config import ModelConfig
from llavacli_core.documented.configs.generation import GenerationConfig
from llavacli_core.documented.models.asking import mask_by_padding
from llavacli_core.documented.models.cache import DynamicCache
from llavacli_core.documented.models.call import PROMPT, Call, Layers, present_positions
from llavacli_core.documented.models.generation import GenerationMixin, Prefilled, Prompts
from llavacli_core.documented.models.initialise import initialise
from llavacli_core.documented.models.outputs import (
    BaseModelOutputWithPast,
    CausalLMOutputWithPast,
    VisionOutput,
)
from llavacli_core.documented.models.pretrained import PreTrainedModel
from llavacli_core.documented.models.seeing import Seen, chosen_layers, look
from llavacli_core.documented.models.views import LanguageModel, VisionTower
from llavacli_core.engine.forward import check_finite
from llavacli_core.errors import BadOption
from llavacli_core.nn.decoder import causal_loss
from llavacli_core.nn.llava import Llava
from llavacli_core.nn.trace import Trace


@dataclass(frozen=True)
class Run:
    """What the decoder came to: hidden states before the last norm [B, T, D], and what else was asked for."""

    states: Tensor
    cache: DynamicCache | None
    trace: Trace | None
    images: Tensor | None
    videos: Tensor | None

    @property
    def shared(self) -> dict[str, Any]:
        """The fields that outputs with and without scores have in common."""
        trace = self.trace
        return {
            "past_key_values": self.cache,
            "hidden_states": None if trace is None or not trace.hidden_states else tuple(trace.hidden_states),
            "attentions": None if trace is None or trace.attentions is None else tuple(trace.attentions),
            "image_hidden_states": self.images,
            # One dimension, as transformers 5.23 has it: it flattens once more what its clips no longer have apart.
            "video_hidden_states": None if self.videos is None else self.videos.flatten(),
        }


REFUSED = ("past_key_values", "position_ids")  # of a call's arguments, by `generate`


class MultimodalModel(PreTrainedModel):
    """A LLaVA of any family, with its head or without."""

    @property
    def parsed(self) -> ModelConfig:
        """The config as `families` read it when the network was made."""
        return self.network.config  # type: ignore[no-any-return]

    @staticmethod
    def initialise(network: nn.Module, config: Any) -> None:
        """Decoder, tower and connector by the `initializer_range` of their configs."""
        assert isinstance(network, Llava)
        text, vision = config.text_config.to_dict(), config.vision_config.to_dict()
        initialise(network, text.get("initializer_range", 0.02))
        initialise(network.vision, vision.get("initializer_range", 0.02))
        if network.connector.newline is not None:
            nn.init.normal_(network.connector.newline, std=network.config.decoder.hidden_size**-0.5)

    def see(self, pixels: Tensor, layer: Layers, strategy: str | None, *, frames: bool, states: bool) -> Seen:
        """Tiles or frames [N, 3, S, S] through tower and connector, by the config where the call does not say."""
        layers = chosen_layers(self.config.vision_feature_layer if layer is None else layer, self.parsed)
        own = self.parsed.connector.vision_feature_select_strategy
        if strategy is None:
            strategy = self.config.to_dict().get("vision_feature_select_strategy", own)
        return look(self.network, pixels, layers, strategy, frames=frames, trace=states)

    def image_features(self, call: Call, *, states: bool = False) -> VisionOutput:
        """`pooler_output`: for each picture, [tokens, D]."""
        assert call.pixel_values is not None
        seen = self.see(
            call.pixel_values,
            call.vision_feature_layer,
            call.vision_feature_select_strategy,
            frames=False,
            states=states,
        )
        return VisionOutput(seen.last, list(seen.features), seen.hidden_states)

    def video_features(self, call: Call, *, states: bool = False) -> VisionOutput:
        """`pooler_output`: clips [B, frames, 3, S, S] -> [B, tokens, D]."""
        videos = call.pixel_values_videos
        assert videos is not None
        seen = self.see(
            videos.flatten(0, 1),
            call.vision_feature_layer,
            call.vision_feature_select_strategy,
            frames=True,
            states=states,
        )
        return VisionOutput(seen.last, seen.features.unflatten(0, videos.shape[:2]).flatten(1, 2), seen.hidden_states)

    def get_placeholder_mask(
        self, input_ids: Tensor | None, inputs_embeds: Tensor, image_features: Tensor | None = None
    ) -> Tensor:
        """Where the image tokens stand, [B, T, 1]; ValueError unless they are as many as the features."""
        return self.places("image", self.parsed.image_token_id, input_ids, inputs_embeds, image_features)[..., None]

    def places(self, kind: str, token_id: int, ids: Tensor | None, embeds: Tensor, features: Tensor | None) -> Tensor:
        """Where a kind of token stands, [B, T]: by its id, or without ids by its embedding."""
        spots = (
            ids == token_id if ids is not None else (embeds == self.network.decoder.embedding.weight[token_id]).all(-1)
        )
        if features is not None and int(spots.sum()) * embeds.shape[-1] != features.numel():
            raise ValueError(f"{int(spots.sum())} {kind} tokens for {features.numel() // embeds.shape[-1]} features")
        return spots

    def embed(self, call: Call) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """What the decoder gets, [B, T, D], and the features of pictures and of clips in it, [..., D] each."""
        ids, x = call.input_ids, call.inputs_embeds
        if (ids is None) == (x is None):
            raise ValueError("give input_ids or inputs_embeds, and not both")
        if x is None:
            x = self.network.decoder.embed(ids)
        assert x is not None
        images = videos = None
        if call.pixel_values is not None and len(call.pixel_values):
            found = self.image_features(call).pooler_output
            images = (found if isinstance(found, Tensor) else torch.cat(tuple(found))).to(x.dtype)
            spots = self.places("image", self.parsed.image_token_id, ids, x, images)
        if call.pixel_values_videos is not None:
            assert self.parsed.video_token_id is not None
            videos = self.video_features(call).pooler_output.flatten(0, 1).to(x.dtype)
            frames = self.places("video", self.parsed.video_token_id, ids, x, videos)
        if images is not None:
            x = x.masked_scatter(spots[..., None], images)
        if videos is not None:
            x = x.masked_scatter(frames[..., None], videos)
        return x, images, videos

    def run(self, call: Call) -> Run:
        """Embed, then through the decoder."""
        x, images, videos = self.embed(call)
        cache = call.past_key_values
        wanted = (
            self.config.get_text_config().use_cache and not self.training if call.use_cache is None else call.use_cache
        )
        if cache is None and wanted:
            cache = self.empty_cache(x)
        trace = self.trace(call)
        present = present_positions(call.attention_mask, 0 if cache is None else cache.length, x.shape[1])
        states = self.network.decoder(x, cache, present=present, positions=call.position_ids, trace=trace)
        if trace is not None and not self.asked("output_hidden_states", call.output_hidden_states):
            trace.hidden_states.clear()
        return Run(states, cache, trace, images, videos)

    def empty_cache(self, x: Tensor) -> DynamicCache:
        """A cache for as many rows as there are in x, [B, T, D]."""
        return DynamicCache(self.parsed.decoder, device=x.device, dtype=x.dtype, batch=x.shape[0], room=x.shape[1])

    def trace(self, call: Call) -> Trace | None:
        """A trace of what the call, or the config, asks for."""
        attentions = self.asked("output_attentions", call.output_attentions)
        if not attentions and not self.asked("output_hidden_states", call.output_hidden_states):
            return None
        return Trace(attentions=[] if attentions else None, cross_attentions=None)

    def asked(self, name: str, given: bool | None) -> bool:
        """A switch of `forward`, as given, else as in the config."""
        return bool(getattr(self.config, name) if given is None else given)

    def shaped(self, output: Any, call: Call) -> Any:
        """The output, or a plain tuple where the call or the config wants one."""
        return output if self.asked("return_dict", call.return_dict) else output.to_tuple()

    @property
    def vision_tower(self) -> VisionTower:
        """The tower, which shares its weights with the whole, as do the other parts."""
        return VisionTower(self.network.vision, self.config.vision_config)

    @property
    def multi_modal_projector(self) -> nn.Module:
        """What is between the tower and the decoder: pooling, projector and newline."""
        return self.network.connector  # type: ignore[no-any-return]

    def get_decoder(self) -> LanguageModel:
        """As `language_model`."""
        return self.language_model

    @property
    def language_model(self) -> LanguageModel:
        """The decoder."""
        raise NotImplementedError


class Headless(MultimodalModel):
    """A LLaVA that ends in hidden states."""

    def answer(self, call: Call) -> Any:
        """The last hidden states, normalised, and what else the call asks for."""
        run = self.run(call)
        return self.shaped(BaseModelOutputWithPast(self.network.decoder.norm(run.states), **run.shared), call)

    @property
    def language_model(self) -> LanguageModel:
        """The decoder."""
        return LanguageModel(self)


class Conditional(GenerationMixin, MultimodalModel):
    """A LLaVA that ends in scores, and answers."""

    positions = None  # rotary positions go on and on
    headless: ClassVar[type[Headless]]

    @property
    def model(self) -> Headless:
        """The same without its head."""
        return self.headless.around(self.config, self.network, self.generation_config)

    @property
    def lm_head(self) -> nn.Module | None:
        """The head."""
        return self.get_output_embeddings()

    @property
    def language_model(self) -> LanguageModel:
        """The decoder."""
        return self.model.language_model

    def answer(self, call: Call) -> Any:
        """Scores [B, T, V], with labels the loss, and what else the call asks for."""
        run = self.run(call)
        keep = call.logits_to_keep
        kept = slice(-keep if keep else None, None) if isinstance(keep, int) else keep
        logits = self.network.decoder.logits(run.states[:, kept])
        loss = None if call.labels is None else causal_loss(logits, call.labels.to(logits.device))
        return self.shaped(CausalLMOutputWithPast(loss, logits, **run.shared), call)

    def prefill(self, inputs: dict[str, Any], asked: GenerationConfig) -> Prompts:
        """The prompts without their padding, each into a cache of its own."""
        strange = inputs.keys() - {field.name for field in fields(Call)} - {"cache_position"}
        refused = strange | (inputs.keys() & {*REFUSED})
        if refused:
            raise BadOption(f"generate takes no {', '.join(sorted(refused))}")
        call = Call(**{name: value for name, value in inputs.items() if name in PROMPT})
        if call.attention_mask is None and call.inputs_embeds is None:
            call = replace(call, attention_mask=mask_by_padding(call.input_ids, asked))
        x, _, _ = self.embed(call)
        present = present_positions(call.attention_mask, 0, x.shape[1])
        ids = x.new_empty(x.shape[0], 0, dtype=torch.long) if call.input_ids is None else call.input_ids
        prefilled = []
        for row, words in enumerate(x):
            kept = slice(None) if present is None else present[row]
            cache = self.empty_cache(words[None, kept])
            states = self.network.decoder(words[None, kept], cache)
            logits = check_finite(self.network.decoder.logits(states[:, -1]))
            prompt = ids[row, kept].tolist() if call.input_ids is not None else ()
            prefilled.append(Prefilled(tuple(prompt), cache.rows(), logits))
        return Prompts(ids, prefilled)
