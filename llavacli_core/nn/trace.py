"""What a forward pass leaves behind on request: hidden states and attention weights, as transformers numbers them."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class Trace:
    """Lists that the layers append to, from the first on; whoever hands a trace in reads them afterwards.

    `hidden_states`: the embeddings, then every layer's output, [B, T, D] each; the decoders' last one is normalised,
    the encoders' is not, as in transformers. Swin has one entry for each stage. `attentions` and `cross_attentions`:
    every layer's weights, [B, H, T, S] each, or None where nobody asks for them: they are large, and computing them
    takes the eager kernel.
    """

    hidden_states: list[Tensor] = field(default_factory=list)
    attentions: list[Tensor] | None = field(default_factory=list)
    cross_attentions: list[Tensor] | None = field(default_factory=list)
