"""`VisionEncoderDecoderModel`: a vision encoder, and a text decoder that looks at its states.

B batch  T sequence  S the encoder's positions  E size of its states  V vocabulary
"""

from __future__ import annotations

from dataclasses import replace
from os import PathLike
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from llavacli_core.documented.configs.auto import AutoConfig
from llavacli_core.documented.configs.base import PreTrainedConfig
from llavacli_core.documented.configs.generation import GenerationConfig
from llavacli_core.documented.configs.multimodal import VisionEncoderDecoderConfig
from llavacli_core.documented.models.cache import CaptionCache
from llavacli_core.documented.models.encoders import VisionEncoder
from llavacli_core.documented.models.generation import GenerationMixin, Prefilled, Prompts
from llavacli_core.documented.models.joining import decoder_class, encoder_class, joined
from llavacli_core.documented.models.outputs import BaseModelOutput, Seq2SeqLMOutput, Several
from llavacli_core.documented.models.pretrained import PreTrainedModel
from llavacli_core.documented.models.text_decoders import CausalDecoder
from llavacli_core.documented.models.tracing import encode, trace_for
from llavacli_core.engine.forward import check_finite
from llavacli_core.errors import BadOption
from llavacli_core.hub.locate import locate
from llavacli_core.nn.encoder_decoder import label_loss
from llavacli_core.nn.trace import Trace
from llavacli_core.options import Placement


class VisionEncoderDecoderModel(GenerationMixin, PreTrainedModel):
    """A captioner."""

    config_class: ClassVar[type[PreTrainedConfig]] = VisionEncoderDecoderConfig
    base_model_prefix: ClassVar[str] = "vision_encoder_decoder"
    main_input_name: ClassVar[str] = "pixel_values"

    def __init__(
        self,
        config: VisionEncoderDecoderConfig | None = None,
        encoder: VisionEncoder | None = None,
        decoder: CausalDecoder | None = None,
    ) -> None:
        """Of a config, with random weights where a part is not given; or of an encoder and a decoder."""
        nn.Module.__init__(self)
        if config is None:
            if encoder is None or decoder is None:
                raise BadOption("a captioner is made of a config, or of an encoder and a decoder")
            config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder.config, decoder.config)
        if not isinstance(config, self.config_class):
            raise TypeError(f"{type(self).__name__} takes a {self.config_class.__name__}, not {type(config).__name__}")
        sections: tuple[Any, Any] = config.encoder, config.decoder
        encoder = encoder or encoder_class(sections[0])(sections[0])
        decoder = decoder or decoder_class(sections[1])(sections[1])
        self.adopt(config, joined(config, encoder, decoder), GenerationConfig.from_model_config(config))

    @property
    def encoder(self) -> VisionEncoder:
        """The encoder; it shares its weights and its config with the whole."""
        config = self.config.encoder
        return encoder_class(config).around(config, self.network.encoder, self.generation_config)

    @property
    def decoder(self) -> CausalDecoder:
        """The decoder; it shares its weights and its config with the whole."""
        config = self.config.decoder
        return decoder_class(config).around(config, self.network.decoder, self.generation_config)

    def get_encoder(self, *_: Any, **__: Any) -> VisionEncoder:
        """As `encoder`."""
        return self.encoder

    def get_decoder(self) -> CausalDecoder:
        """As `decoder`."""
        return self.decoder

    @classmethod
    def from_encoder_decoder_pretrained(
        cls,
        encoder_pretrained_model_name_or_path: str | PathLike[str],
        decoder_pretrained_model_name_or_path: str | PathLike[str],
        **kwargs: Any,
    ) -> Self:
        """An encoder and a decoder that were trained apart; what neither has, cross-attention above all, is random.

        Keywords with the prefix `encoder_` or `decoder_` set values of the one's or the other's config, the rest the
        whole's.
        """
        encoder = _options("encoder_", kwargs)
        decoder = _options("decoder_", kwargs)
        names = encoder_pretrained_model_name_or_path, decoder_pretrained_model_name_or_path
        folders = [locate(name, words=False).folder for name in names]
        encoder_config = encoder.pop("config", None) or AutoConfig.from_pretrained(folders[0], **encoder)
        decoder_config = decoder.pop("config", None) or AutoConfig.from_pretrained(folders[1], **decoder)
        config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder_config, decoder_config, **kwargs)
        sections: tuple[Any, Any] = config.encoder, config.decoder
        loading = Placement(device="cpu"), torch.get_default_dtype()  # of one format, whatever each was stored in
        return cls(
            config,
            encoder_class(sections[0]).load(folders[0], sections[0], *loading),
            decoder_class(sections[1]).load(folders[1], sections[1], *loading),
        ).eval()

    def forward(
        self,
        pixel_values: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: BaseModelOutput | tuple[Tensor, ...] | None = None,
        past_key_values: CaptionCache | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        *,
        decoder_position_ids: Tensor | None = None,
        cache_position: Tensor | None = None,
    ) -> Any:
        """Scores [B, T, V], with labels [B, T] (not shifted; -100: ignored) the loss, and what else is asked for.

        Without ids, the labels moved right by one stand in for them.
        """
        wanted = self._wanted(output_attentions, output_hidden_states)
        encoded = self._encoded(pixel_values, encoder_outputs, wanted)
        states = self.network.project(encoded.last_hidden_state)
        trace = trace_for(attentions=wanted[0], hidden_states=wanted[1])
        ids, words = self._new(decoder_input_ids, decoder_inputs_embeds, labels), decoder_inputs_embeds
        plain = trace is None and decoder_attention_mask is None and decoder_position_ids is None
        cache = past_key_values
        if cache is not None and ids is not None and plain:
            logits = cache.extend(ids)
        else:
            every = _behind(cache, ids)
            x = self.network.decoder(
                every, states, words=words, positions=decoder_position_ids, mask=decoder_attention_mask, trace=trace
            )
            logits = self.network.decoder.logits(x if ids is None else x[:, -ids.shape[1] :])
            cache = self._cache(states, every, use_cache)
        output = Seq2SeqLMOutput(
            loss=None if labels is None else label_loss(logits, labels.to(logits.device)),
            logits=logits,
            past_key_values=cache,
            **_traced(trace, wanted, logits.shape[1]),
            encoder_last_hidden_state=encoded.last_hidden_state,
            encoder_hidden_states=encoded.hidden_states,
            encoder_attentions=encoded.attentions,
        )
        named = self.config.return_dict if return_dict is None else return_dict
        return output if named else output.to_tuple()

    def prepare_decoder_input_ids_from_labels(self, labels: Tensor) -> Tensor:
        """The labels moved right by one, behind the config's start token, its padding where they say -100."""
        values = self.config.to_dict()
        tokens = {name: values.get(name) for name in ("decoder_start_token_id", "pad_token_id")}
        self.network.config = replace(self.network.config, **tokens)
        return self.network.shifted(labels)  # type: ignore[no-any-return]

    @property
    def positions(self) -> int:
        """How many positions the decoder has."""
        return int(self.network.config.decoder.max_position_embeddings)

    def prefill(self, inputs: dict[str, Any], asked: GenerationConfig) -> Prompts:
        """Each picture, and behind the start token the ids given as `decoder_input_ids`."""
        pixels, outputs, ids = (
            inputs.pop(name, None) for name in ("pixel_values", "encoder_outputs", "decoder_input_ids")
        )
        if inputs:
            raise BadOption(f"generate takes no {', '.join(sorted(inputs))}")
        states = self.network.project(self._encoded(pixels, outputs, (False, False)).last_hidden_state)
        start = torch.full((len(states), 1), self._start(asked), device=states.device)
        if ids is None:
            ids = start
        elif bool((ids[:, :1] != start).all()):
            ids = torch.cat((start, ids), dim=1)
        prefilled = []
        for picture, row in zip(states, ids, strict=True):
            rows = self.network.start(picture[None])
            logits = self.network.step(row[None], rows)[:, -1]
            prefilled.append(Prefilled(tuple(row.tolist()), rows, check_finite(logits)))
        return Prompts(ids, prefilled)

    def _new(self, ids: Tensor | None, words: Tensor | None, labels: Tensor | None) -> Tensor | None:
        """The ids that a call gives to the decoder; None where it gives their embeddings."""
        if ids is not None and words is not None:
            raise ValueError("give decoder_input_ids or decoder_inputs_embeds, and not both")
        if ids is not None or words is not None:
            return ids
        if labels is None:
            raise ValueError("give decoder_input_ids, decoder_inputs_embeds or labels")
        return self.prepare_decoder_input_ids_from_labels(labels)

    def _start(self, asked: GenerationConfig) -> int:
        """The id that an answer begins with."""
        start = asked.decoder_start_token_id
        for found in (start, self.config.to_dict().get("decoder_start_token_id"), asked.bos_token_id):
            if found is not None:
                return int(found)
        raise BadOption(
            "no decoder_start_token_id", hint="generate(..., decoder_start_token_id=...), or set it in config"
        )

    def _encoded(
        self,
        pixels: Tensor | None,
        outputs: BaseModelOutput | tuple[Tensor, ...] | None,
        wanted: tuple[bool, bool],
    ) -> BaseModelOutput:
        """What the encoder makes of the pictures, or made of them before."""
        if isinstance(outputs, BaseModelOutput):
            return outputs
        if outputs is not None:
            return BaseModelOutput(outputs[0])
        if pixels is None:
            raise ValueError("give pixel_values or encoder_outputs")
        attentions, hidden_states = wanted
        return encode(self.network.encoder, pixels.to(self.dtype), attentions=attentions, hidden_states=hidden_states)

    def _cache(self, states: Tensor, ids: Tensor | None, use_cache: bool | None) -> CaptionCache | None:
        """What a later call may go on from."""
        if use_cache is None:
            use_cache = not self.training and bool(self.config.decoder.to_dict().get("use_cache", True))
        return CaptionCache(self.network, states, ids) if use_cache and ids is not None else None

    def _wanted(self, attentions: bool | None, hidden_states: bool | None) -> tuple[bool, bool]:
        """Whether attention weights and hidden states are asked for, by the call or by the config."""
        return (
            bool(self.config.output_attentions if attentions is None else attentions),
            bool(self.config.output_hidden_states if hidden_states is None else hidden_states),
        )


def _behind(cache: CaptionCache | None, ids: Tensor | None) -> Tensor | None:
    """What the decoder has seen, and the new ids behind it."""
    if cache is None:
        return ids
    if ids is None:
        raise ValueError("past_key_values go on with decoder_input_ids alone")
    return torch.cat((cache.ids, ids), dim=1)


def _traced(trace: Trace | None, wanted: tuple[bool, bool], length: int) -> dict[str, Several | None]:
    """The decoder's part of the output, for the last `length` positions."""
    if trace is None:
        return {}
    attentions, hidden_states = wanted
    return {
        "decoder_hidden_states": tuple(x[:, -length:] for x in trace.hidden_states) if hidden_states else None,
        "decoder_attentions": tuple(x[:, :, -length:] for x in trace.attentions or ()) if attentions else None,
        "cross_attentions": tuple(x[:, :, -length:] for x in trace.cross_attentions or ()) if attentions else None,
    }


def _options(prefix: str, options: dict[str, Any]) -> dict[str, Any]:
    """Takes out the options with a prefix, and the prefix off them."""
    found = {name: options.pop(name) for name in list(options) if name.startswith(prefix)}
    if f"{prefix}model" in found:
        raise BadOption(f"{prefix}model: give the folder or Hub id that it was loaded from")
    return {name.removeprefix(prefix): value for name, value in found.items()}
