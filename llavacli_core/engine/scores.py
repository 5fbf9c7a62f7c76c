"""What the network makes of a conversation, position by position, without answering it.

T positions, of the prompt and of what follows it  V vocabulary  D hidden size  H heads  S positions looked at
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from llavacli_core.checkpoint.place import memory_for
from llavacli_core.engine.forward import FEWER, check_finite, embed, encode_pictures
from llavacli_core.engine.memory import Memory
from llavacli_core.engine.request import Request
from llavacli_core.errors import BadOption
from llavacli_core.nn.encoder_decoder import EncoderDecoder
from llavacli_core.nn.llava import Llava
from llavacli_core.nn.trace import Trace


@dataclass(frozen=True, kw_only=True)
class Scores:
    """`logits[t]` are the scores of the token that follows `token_ids[t]`; the rest is there if it was asked for.

    `hidden_states`: the embeddings, then every layer's output, [T, D] each. `attentions`: every layer's weights,
    [H, T, T] each; `cross_attentions`, a captioner's: [H, T, S] each over the picture's positions.
    """

    token_ids: tuple[int, ...]  # of the prompt, every picture widened, and of the answer
    logits: Tensor  # [T, V]
    hidden_states: tuple[Tensor, ...] | None
    attentions: tuple[Tensor, ...] | None
    cross_attentions: tuple[Tensor, ...] | None


@torch.inference_mode()
def score(
    network: Llava | EncoderDecoder,
    request: Request,
    answer: Sequence[int] = (),
    *,
    hidden_states: bool = False,
    attentions: bool = False,
) -> Scores:
    """Scores of a prepared request and of the ids of an `answer` behind it."""
    vocabulary = network.config.decoder.vocab_size
    if not all(isinstance(token_id, int) and 0 <= token_id < vocabulary for token_id in answer):
        raise BadOption(f"an answer's ids are whole numbers from 0 to {vocabulary - 1}")
    request = replace(request, token_ids=(*request.token_ids, *answer))
    captions = isinstance(network, EncoderDecoder)
    trace = Trace(attentions=[] if attentions else None, cross_attentions=[] if attentions and captions else None)
    device = next(network.parameters()).device
    with memory_for(f"the scores of {len(request.token_ids)} tokens", device, FEWER):
        if isinstance(network, EncoderDecoder):
            states = _caption_states(network, request, trace)
        else:
            states = _states(network, request, trace)
        logits = check_finite(network.decoder.logits(states)[0])
    return Scores(
        token_ids=request.token_ids,
        logits=logits,
        hidden_states=tuple(x[0] for x in trace.hidden_states) if hidden_states else None,
        attentions=_unbatched(trace.attentions),
        cross_attentions=_unbatched(trace.cross_attentions),
    )


def _states(network: Llava, request: Request, trace: Trace) -> Tensor:
    """The decoder's last hidden states, [1, T, D]."""
    memory = Memory(network)
    encode_pictures(network, request, memory, 0)
    return network.decoder(embed(network, request, memory.features, 0), trace=trace)  # type: ignore[no-any-return]


def _caption_states(network: EncoderDecoder, request: Request, trace: Trace) -> Tensor:
    """The same of a captioner."""
    weight = next(network.parameters())
    (picture,) = request.pictures
    pixels = torch.from_numpy(picture.tiles.pixels).to(weight.device, weight.dtype)
    ids = torch.tensor([request.token_ids], device=weight.device)
    return network.decoder(ids, network.encode(pixels), trace=trace)  # type: ignore[no-any-return]


def _unbatched(weights: list[Tensor] | None) -> tuple[Tensor, ...] | None:
    """Each layer's weights without the batch's dimension."""
    return None if weights is None else tuple(layer[0] for layer in weights)
