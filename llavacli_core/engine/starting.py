"""Several requests brought to their first scores together: seen in one batch of tiles, and prefilled as rows.

Prompts are padded on the right: positions then count from 0 in every row, nothing looks at padding (it comes after all
that look back), so that the kernels are those of a prompt alone and no mask is needed; and a row of a `Rows` may end
anywhere. What several prompts begin with, and the last prompt before them, is computed once.

R rows  T sequence  D hidden size  V vocabulary
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from llavacli_core.checkpoint.place import memory_for
from llavacli_core.engine.forward import FEWER, check_finite, embed, encode, encode_pictures, prefill
from llavacli_core.engine.grouping import Group, like_beginnings
from llavacli_core.engine.memory import Memory, keys_of, shared_by
from llavacli_core.engine.request import Request
from llavacli_core.nn.cache import KVCache
from llavacli_core.nn.encoder_decoder import EncoderDecoder
from llavacli_core.nn.llava import Llava
from llavacli_core.nn.rows import Rows

# Positions at once. Matrices of this height keep a CPU busy and its caches full; a card wants them higher.
AT_ONCE = {"cpu": 2048, "mps": 4096, "cuda": 16384}


@dataclass(frozen=True)
class Started:
    """Rows that can be decoded, the scores [R, V] of their next tokens, and what of each prompt was known before."""

    rows: Rows
    logits: Tensor
    cached: Sequence[int]


class Starter(Protocol):
    """The way of requests into a network, of either kind."""

    def groups(self, requests: Sequence[Request]) -> list[Group]:
        """Which of them to start together."""

    def start(self, requests: Sequence[Request], shared: int, seen: Callable[[], None]) -> Started:
        """Start a group; `seen` is called when the pictures are encoded."""


class Conversations:
    """Prompts in front of a decoder. The beginning met last is kept, for those that come after."""

    def __init__(self, network: Llava) -> None:
        self.network = network
        self.stem = Memory(network)
        self.device = self.stem.cache.device

    def groups(self, requests: Sequence[Request]) -> list[Group]:
        """By their beginnings up to the first picture's end, else by their lengths."""
        keys = [keys_of(request) for request in requests]

        def shared(family: Sequence[int]) -> int:
            if len(family) == 1:
                return self.stem.shared(keys[family[0]])
            return shared_by([keys[place] for place in family])

        stems = [tuple(held[: request.first_seen]) for request, held in zip(requests, keys, strict=True)]
        return like_beginnings(stems, [len(held) for held in keys], AT_ONCE[self.device.type], shared)

    @torch.inference_mode()
    def start(self, requests: Sequence[Request], shared: int, seen: Callable[[], None]) -> Started:
        """See Starter."""
        known = self._share(requests[0], shared) if shared else 0
        wanted = {each.key: each for request in requests for span, each in request.placed if span.start >= shared}
        features = encode(self.network, list(wanted.values()))
        seen()
        lengths = [len(request.token_ids) for request in requests]
        with memory_for(f"{len(requests)} prompts of up to {max(lengths)} tokens", self.device, FEWER):
            embedded = [embed(self.network, request, features, shared)[0] for request in requests]
            cache = self._cache(len(requests), shared, max(lengths))
            ends = [len(x) - 1 for x in embedded]
            hidden = self.network.decoder(pad_sequence(embedded, batch_first=True), cache, wanted=ends)
            if not shared:
                self._keep(requests[-1], cache)
            logits = check_finite(self.network.decoder.logits(hidden[:, 0]))
        return Started(cache.rows(lengths), logits, [known, *[shared] * (len(requests) - 1)])

    def _share(self, request: Request, shared: int) -> int:
        """Have the first positions of a request in the stem; how many of them were there before."""
        keys = keys_of(request)
        known = self.stem.reuse(keys)
        if known < shared:
            beginning = request.beginning(shared)
            encode_pictures(self.network, beginning, self.stem, known)
            prefill(self.network, beginning, self.stem, keys[:shared], known, room=0)
        return min(known, shared)

    def _keep(self, request: Request, cache: KVCache) -> None:
        """Take the beginning of the request in the last row for the stem."""
        keys = keys_of(request)[: request.first_seen]
        if keys:
            self.stem.reuse([])
            self.stem.cache.begin_with(cache, len(keys), row=cache.batch - 1)
            self.stem.held += keys

    def _cache(self, rows: int, shared: int, room: int) -> KVCache:
        """A cache of so many rows, which hold the shared positions."""
        stem = self.stem.cache
        cache = KVCache(stem.config, device=stem.device, dtype=stem.dtype, batch=rows, room=room, devices=stem.devices)
        cache.begin_with(stem, shared)
        return cache


class Captions:
    """Pictures in front of a captioner; nothing is shared."""

    def __init__(self, network: EncoderDecoder) -> None:
        self.network = network
        weight = next(network.parameters())
        self.device, self.dtype = weight.device, weight.dtype

    def groups(self, requests: Sequence[Request]) -> list[Group]:
        """Those that have said as much, so that nothing is padded."""
        lengths = [len(request.token_ids) for request in requests]
        return [
            Group(tuple(place for place, length in enumerate(lengths) if length == said)) for said in sorted({*lengths})
        ]

    @torch.inference_mode()
    def start(self, requests: Sequence[Request], shared: int, seen: Callable[[], None]) -> Started:
        """See Starter."""
        with memory_for(f"{len(requests)} pictures", self.device, FEWER):
            pixels = torch.cat([torch.from_numpy(request.pictures[0].tiles.pixels) for request in requests])
            rows = self.network.start(self.network.encode(pixels.to(device=self.device, dtype=self.dtype)))
            seen()
            ids = torch.tensor([request.token_ids for request in requests], device=self.device)
            logits = check_finite(self.network.step(ids, rows)[:, -1])
        return Started(rows, logits, [0] * len(requests))
