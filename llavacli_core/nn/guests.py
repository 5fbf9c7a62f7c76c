"""Layers that do not stay where they compute: each comes when it is called for, and goes when the next is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

Fetch = Callable[[], nn.Module]  # a layer, its weights where it computes


class Ferry:
    """Fetches layers in a circle: while one computes, the next is on its way. No more than two are there at a time.

    Fetching is done in a thread, and on CUDA in a stream of its own.
    """

    def __init__(self, fetches: Sequence[Fetch], device: torch.device) -> None:
        self.fetches, self.device = fetches, device
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="layers")
        self._coming: dict[int, Future[tuple[nn.Module, torch.cuda.Event | None]]] = {}
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._used: torch.cuda.Event | None = None  # what computed with the last layer that was let go

    @contextmanager
    def layer(self, place: int) -> Iterator[nn.Module]:
        """The layer, for as long as it computes."""
        here = self._send(place)
        self._coming = {place: here}  # whatever else was on its way is not wanted
        layer, ready = here.result()
        if ready is not None:
            torch.cuda.current_stream(self.device).wait_event(ready)
        following = (place + 1) % len(self.fetches)
        self._coming = {following: self._send(following)} if following != place else {}
        try:
            yield layer
        finally:
            if self._stream is not None:
                self._used = torch.cuda.current_stream(self.device).record_event()

    def _send(self, place: int) -> Future[tuple[nn.Module, torch.cuda.Event | None]]:
        """Have a layer fetched, if it is not on its way."""
        coming = self._coming.get(place)
        if coming is not None and not (coming.done() and coming.exception()):
            return coming
        return self._thread.submit(self._fetch, self.fetches[place], self._used)

    def _fetch(self, fetch: Fetch, used: torch.cuda.Event | None) -> tuple[nn.Module, torch.cuda.Event | None]:
        """A layer, and when its weights will be there; they may go where a layer was that has computed."""
        if self._stream is None:
            return fetch(), None
        with torch.cuda.stream(self._stream):
            if used is not None:
                self._stream.wait_event(used)
            return fetch(), self._stream.record_event()


class Guest(nn.Module):
    """A layer that the ferry brings, called as if it were here."""

    def __init__(self, ferry: Ferry, place: int, home: str, schemes: frozenset[str] = frozenset()) -> None:
        super().__init__()
        self.ferry, self.place, self.home = ferry, place, home
        self.schemes = schemes  # in which it is quantized when it comes

    def forward(self, *given: Any) -> Tensor:
        """As the layer's own."""
        with self.ferry.layer(self.place) as layer:
            return layer(*given)  # type: ignore[no-any-return]

    def step_rows(self, *given: Any) -> Tensor:
        """As the layer's own."""
        with self.ferry.layer(self.place) as layer:
            return layer.step_rows(*given)  # type: ignore[no-any-return, operator]
