"""The documented decoders of captioners: GPT-2, TrOCR, BERT, RoBERTa, each with cross-attention.

B batch  T sequence  S the encoder's positions  E size of its states  V vocabulary
"""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from llavacli_core.documented.configs.base import PreTrainedConfig
from llavacli_core.documented.configs.text import BertConfig, GPT2Config, RobertaConfig, TrOCRConfig
from llavacli_core.documented.models.initialise import initialise
from llavacli_core.documented.models.outputs import CausalLMOutputWithCrossAttentions
from llavacli_core.documented.models.parts import Part
from llavacli_core.documented.models.tracing import trace_for
from llavacli_core.errors import BadOption
from llavacli_core.families.keys import Keys
from llavacli_core.families.names import TEXT_DECODERS, Table
from llavacli_core.families.text_decoders import read_text_decoder
from llavacli_core.nn.decoder import causal_loss
from llavacli_core.nn.encoder_decoder import label_loss
from llavacli_core.nn.text_decoder import TextDecoder


class CausalDecoder(Part):
    """A decoder that may look at an encoder's states. One that shall not is no part of a captioner, and not made."""

    tables: ClassVar[dict[str, Table]] = TEXT_DECODERS
    shifts: ClassVar[bool] = True  # labels are the ids themselves, each to be predicted from those before it

    @classmethod
    def blank(cls, config: PreTrainedConfig) -> nn.Module:
        """The network without storage."""
        values = config.to_dict()
        if not values.get("add_cross_attention", cls is TrOCRForCausalLM):
            raise BadOption(
                f"a {cls.__name__} without cross-attention is not available",
                hint="is_decoder=True and add_cross_attention=True in its config",
            )
        return TextDecoder(read_text_decoder(Keys(values, "config.json")))

    @staticmethod
    def initialise(network: nn.Module, config: PreTrainedConfig) -> None:
        """Random weights."""
        values = config.to_dict()
        initialise(network, values.get("initializer_range", values.get("init_std", 0.02)))

    @property
    def speaker(self) -> Any:
        """The whole of it."""
        return self.network

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *,
        encoder_hidden_states: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> Any:
        """Scores [B, T, V] of what follows ids [B, T], seen the states [B, S, E]; with labels [B, T] the loss.

        There is no cache here: `VisionEncoderDecoderModel` goes on from what it has seen.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give input_ids or inputs_embeds, and not both")
        config = self.config
        attentions = config.output_attentions if output_attentions is None else output_attentions
        hidden_states = config.output_hidden_states if output_hidden_states is None else output_hidden_states
        trace = trace_for(attentions=attentions, hidden_states=hidden_states)
        inputs = {"words": inputs_embeds, "positions": position_ids, "mask": attention_mask}
        logits = self.network.logits(self.network(input_ids, encoder_hidden_states, **inputs, trace=trace))
        loss = None if labels is None else (causal_loss if self.shifts else label_loss)(logits, labels)
        output = CausalLMOutputWithCrossAttentions(
            loss=loss,
            logits=logits,
            hidden_states=tuple(trace.hidden_states) if trace and hidden_states else None,
            attentions=tuple(trace.attentions or ()) if trace and attentions else None,
            cross_attentions=tuple(trace.cross_attentions or ()) or None if trace and attentions else None,
        )
        return output if (config.return_dict if return_dict is None else return_dict) else output.to_tuple()


class TrOCRForCausalLM(CausalDecoder):
    """TrOCR's decoder."""

    config_class: ClassVar[type[PreTrainedConfig]] = TrOCRConfig
    shifts: ClassVar[bool] = False  # as in the reference


class GPT2LMHeadModel(CausalDecoder):
    """GPT-2."""

    config_class: ClassVar[type[PreTrainedConfig]] = GPT2Config


class BertLMHeadModel(CausalDecoder):
    """BERT."""

    config_class: ClassVar[type[PreTrainedConfig]] = BertConfig


class RobertaForCausalLM(CausalDecoder):
    """RoBERTa."""

    config_class: ClassVar[type[PreTrainedConfig]] = RobertaConfig


CLASSES: dict[str, type[CausalDecoder]] = {
    each.config_class.model_type: each
    for each in (TrOCRForCausalLM, GPT2LMHeadModel, BertLMHeadModel, RobertaForCausalLM)
}
