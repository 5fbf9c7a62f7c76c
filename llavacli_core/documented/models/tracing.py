"""What a call wants to see of the way through the network."""

from __future__ import annotations

from torch import Tensor

from llavacli_core.documented.models.outputs import BaseModelOutput
from llavacli_core.nn.encoders import Encoder
from llavacli_core.nn.trace import Trace


def trace_for(*, attentions: bool, hidden_states: bool) -> Trace | None:
    """A trace, if anything is wanted."""
    if not attentions and not hidden_states:
        return None
    return Trace([], [] if attentions else None, [] if attentions else None)


def encode(network: Encoder, pixels: Tensor, *, attentions: bool, hidden_states: bool) -> BaseModelOutput:
    """Pictures [B, 3, height, width] through an encoder or a tower, with what is wanted of the way."""
    trace = trace_for(attentions=attentions, hidden_states=hidden_states)
    last = network(pixels, trace)
    return BaseModelOutput(
        last,
        tuple(trace.hidden_states) if trace is not None and hidden_states else None,
        tuple(trace.attentions or ()) if trace is not None and attentions else None,
    )
