"""What the LLaVAs share: features of pictures and clips in their places, then the decoder, its cache and its traces.

B batch  T sequence  S positions, those in the cache included  D hidden size  V vocabulary
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from llavacli_core.config import ModelConfig
from llavacli_core.documented.models.cache import DynamicCache
from llavacli_core.documented.models.initialise import initialise
from llavacli_core.documented.models.outputs import (
    BaseModelOutputWithPast,
    CausalLMOutputWithPast,
    VisionOutput,
)
from llavacli_core.documented.models.pretrained import PreTrainedModel
from llavacli_core.documented.models.seeing import Seen, chosen_layers, grid_of, look, tiles_of
from llavacli_core.nn.connector import lay_out
from llavacli_core.nn.decoder import causal_loss
from llavacli_core.nn.llava import Llava
from llavacli_core.nn.trace import Trace

Layers = int | list[int] | tuple[int, ...] | None


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
            "video_hidden_states": self.videos,
        }


class MultimodalModel(PreTrainedModel):
    """A LLaVA of any family, with its head or without."""

    @property
    def parsed(self) -> ModelConfig:
        """The config as `families` read it when the network was made."""
        return self.network.config  # type: ignore[no-any-return]

    @staticmethod
    def build(model: Any) -> nn.Module:
        """The network, its tower whole."""
        return Llava(model, whole=True)

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
        """What the decoder gets, [B, T, D], and the features of pictures and of clips in it, [tokens, D] each."""
        ids, x = call.input_ids, call.inputs_embeds
        if (ids is None) == (x is None):
            raise ValueError("give input_ids or inputs_embeds, and not both")
        if x is None:
            x = self.network.decoder.embed(ids)
        assert x is not None
        images = videos = None
        if call.pixel_values is not None and len(call.pixel_values):
            images = torch.cat(tuple(self.image_features(call).pooler_output)).to(x.dtype)
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


class Headless(MultimodalModel):
    """A LLaVA that ends in hidden states."""

    def answer(self, call: Call) -> Any:
        """The last hidden states, normalised, and what else the call asks for."""
        run = self.run(call)
        return self.shaped(BaseModelOutputWithPast(self.network.decoder.norm(run.states), **run.shared), call)


class Conditional(MultimodalModel):
    """A LLaVA that ends in scores."""

    def answer(self, call: Call) -> Any:
        """Scores [B, T, V], with labels the loss, and what else the call asks for."""
        run = self.run(call)
        keep = call.logits_to_keep
        kept = slice(-keep if keep else None, None) if isinstance(keep, int) else keep
        logits = self.network.decoder.logits(run.states[:, kept])
        loss = None if call.labels is None else causal_loss(logits, call.labels.to(logits.device))
        return self.shaped(CausalLMOutputWithPast(loss, logits, **run.shared), call)


class Tiled:
    """What AnyRes adds: pictures of several tiles, unpadded, with newlines."""

    network: Any
    config: Any
    parsed: Any
    see: Any

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
