"""A decoder's step over one cache, recorded once and replayed for each token: on CUDA a graph, without host work."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from llavacli_core.nn.cache import KVCache
from llavacli_core.nn.static_step import StaticStep

if TYPE_CHECKING:
    from llavacli_core.nn.decoder import Decoder

Run = Callable[[], None]
Record = Callable[[Run, torch.device], Run]  # what is run, and where; what does it again


class StepGraph:
    """`cache` one token further at a time. Recorded at the first token, and again whenever the cache has moved."""

    def __init__(self, decoder: Decoder, cache: KVCache, record: Record) -> None:
        self.step, self.cache, self.record = StaticStep(decoder), cache, record
        self.token = torch.zeros((1, 1), dtype=torch.int64, device=cache.device)
        self.position = torch.zeros(1, dtype=torch.int64, device=cache.device)
        self._logits: Tensor | None = None
        self._replay: Run | None = None
        self._moves = 0  # the cache's when it was recorded

    def __call__(self, chosen: Tensor) -> Tensor:
        """Write the id `chosen` [1, 1] behind what the cache holds; scores of the next, [1, V], until the next call.

        The cache's `length` is not changed: the host may not know yet which id that is, and may not want it.
        """
        self.prepare()
        assert self._replay is not None
        self.token.copy_(chosen)
        self.position.fill_(self.cache.length)
        self._replay()
        assert self._logits is not None
        return self._logits

    def prepare(self) -> None:
        """Have room for a token, and a record of the step over that room."""
        self.cache.reserve(self.cache.length + 1)
        if self._moves == self.cache.moves:
            return
        self._replay = None  # and its memory is free before the next is recorded
        for layer in self.cache.layers:
            for held in (layer.keys, layer.values):
                held[:, :, self.cache.length :] = 0  # masked places count nothing, but nothing times NaN is NaN
        self.position.fill_(self.cache.length)
        self._replay = self.record(self._run, self.cache.device)
        self._moves = self.cache.moves

    def _run(self) -> None:
        self._logits = self.step(self.token, self.position, self.cache)


def graph_of(decoder: Decoder, cache: KVCache) -> StepGraph | None:
    """The graph of the decoder's steps over a cache; None where the device has none, or cannot record these steps.

    Layers on several devices, or whose weights come and go, are not recorded.
    """
    if cache.device.type != "cuda" or decoder.devices is not None or decoder.unrecorded is not None:
        return None
    return StepGraph(decoder, cache, record_cuda)


def record_cuda(run: Run, device: torch.device) -> Run:
    """A CUDA graph of `run`. It is run once before, so that libraries have set up what must not happen in a graph.

    Raises RuntimeError where something in it cannot be recorded.
    """
    with torch.cuda.device(device):
        current, side = torch.cuda.current_stream(), torch.cuda.Stream()
        side.wait_stream(current)
        with torch.cuda.stream(side):
            run()
        current.wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        # Other threads may go on using the device: a batch's pictures are opened in some.
        with torch.cuda.graph(graph, stream=side, capture_error_mode="thread_local"):
            run()
    return graph.replay
