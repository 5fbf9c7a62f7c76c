"""What a conversation keeps between turns: its KV cache, which positions that holds, and what was seen."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from llavacli_core.engine.request import Request
from llavacli_core.nn.cache import KVCache
from llavacli_core.nn.graph import StepGraph, graph_of
from llavacli_core.nn.llava import Llava

Key = int | str  # a position's content: a token id, or for a picture's or a video's token whose it is


class Memory:
    """Positions already computed, by content: whatever a new prompt shares with them is not computed again."""

    def __init__(self, network: Llava) -> None:
        decoder, weight = network.decoder, network.decoder.embedding.weight
        self.cache = KVCache(decoder.config, device=weight.device, dtype=weight.dtype, devices=decoder.devices)
        self.held: list[Key] = []  # what stands at each of the cache's positions
        self.features: dict[str, Tensor] = {}
        self.decoder = network.decoder
        self.graph: StepGraph | None = None

    @torch.inference_mode()
    def recorded(self) -> StepGraph | None:
        """The graph of a step over the cache as it is; None where steps are computed one by one.

        What cannot be recorded is not tried again: the decoder remembers why.
        """
        try:
            self.graph = self.graph or graph_of(self.decoder, self.cache)
            if self.graph is not None:
                self.graph.prepare()
        except torch.OutOfMemoryError:  # steps take less
            self.graph = None
        except RuntimeError as error:
            self.decoder.unrecorded, self.graph = str(error) or type(error).__name__, None
        return self.graph

    def took(self, token_id: int) -> None:
        """The cache's next position has been written, and this is what stands there."""
        self.cache.length += 1
        self.held.append(token_id)

    def shared(self, keys: list[Key]) -> int:
        """Length of the longest prefix shared with `keys`, less what must be computed anew."""
        shared = 0
        for ours, theirs in zip(self.held, keys, strict=False):
            if ours != theirs:
                break
            shared += 1
        return _whole(keys, shared)

    def reuse(self, keys: list[Key]) -> int:
        """Cut back to what is shared with `keys`; its length."""
        shared = self.shared(keys)
        self.cache.truncate(shared)
        del self.held[shared:]
        return shared


def keys_of(request: Request) -> list[Key]:
    """The content of each position of a request."""
    keys: list[Key] = list(request.token_ids)
    for span, seen in request.placed:
        keys[span.start : span.start + span.length] = [seen.key] * span.length
    return keys


def shared_by(texts: Sequence[list[Key]]) -> int:
    """Length of the longest prefix that some texts share, less what must be computed for each."""
    shared = 0
    while all(shared < len(text) and text[shared] == texts[0][shared] for text in texts):
        shared += 1
    return min(_whole(text, shared) for text in texts)


def _whole(keys: list[Key], shared: int) -> int:
    """As much of a prefix as may be had from elsewhere: not the last position, whose logits are wanted."""
    shared = max(min(shared, len(keys) - 1), 0)
    while shared and isinstance(keys[shared], str) and keys[shared] == keys[shared - 1]:
        shared -= 1  # never from the middle of a picture or a video
    return shared
