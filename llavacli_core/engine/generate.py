"""One answer: encode, prefill, then step after step until a stop id, a stop string or the limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Generic, TypeVar

import torch
from torch import Tensor

from llavacli_core.engine.beams import search
from llavacli_core.engine.request import Request
from llavacli_core.engine.runner import Runner
from llavacli_core.engine.sampling import Chooser
from llavacli_core.engine.settled import Settled
from llavacli_core.engine.transcript import Transcript
from llavacli_core.events import Done, Event, Text, Timing, Usage
from llavacli_core.prompt.tokenizer import Tokenizer

Stopped = Callable[[], bool]
Made = TypeVar("Made")


class Generation(Iterator[Made], Generic[Made]):
    """Events as they are made: of one answer (`Event`), or of a batch (pairs of its index and a `BatchEvent`)."""

    def __init__(self, answer: Callable[[Stopped], Generator[Made]]) -> None:
        self._stopped = False
        self._events = answer(lambda: self._stopped)

    def __next__(self) -> Made:
        return next(self._events)

    def stop(self) -> None:
        """End at the next token, with Done(finish_reason="interrupted") as the last event. Safe in a signal handler.

        Requests of a batch that were not begun end without an event.
        """
        self._stopped = True

    def close(self) -> None:
        """Abandon the answer: no further events, no Done; a session forgets the turn."""
        self._events.close()


class Stopwatch:
    """Milliseconds between laps; a lap waits for the device, so that its work is counted where it belongs."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.start()

    def start(self) -> None:
        """Begin, or begin anew."""
        self.last = time.perf_counter()
        self.laps: list[float] = []

    def lap(self) -> None:
        """Take down the milliseconds since the last lap."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        before, self.last = self.last, time.perf_counter()
        self.laps.append((self.last - before) * 1e3)


def answer(
    runner: Runner, tokenizer: Tokenizer, request: Request, settled: Settled, stopped: Stopped
) -> Generator[Event]:
    """Events of one answer."""
    watch = Stopwatch(runner.device)
    runner.encode()
    watch.lap()
    logits = runner.prefill(settled.limit)
    watch.lap()
    transcript = Transcript(tokenizer, settled, request.said)
    if settled.sampling.beams > 1:
        yield from _search(runner, logits, request, settled, transcript, stopped)
    else:
        yield from _decode(runner, logits, request, settled, transcript, stopped)
    watch.lap()
    last = done(request, settled, transcript, watch, runner.cached)
    yield replace(last, warnings=(*last.warnings, *runner.warnings))


def done(request: Request, settled: Settled, transcript: Transcript, watch: Stopwatch, cached: int) -> Done:
    """The last event; `watch` has three laps: vision, prefill, decode."""
    assert transcript.finish_reason is not None
    vision, prefill, decode = watch.laps
    return Done(
        text=transcript.text,
        token_ids=(*request.said, *transcript.ids),
        finish_reason=transcript.finish_reason,
        prompt_text=request.prompt_text,
        images=request.images,
        videos=request.videos,
        max_tokens=settled.max_tokens,
        usage=Usage(
            prompt_tokens=len(request.token_ids),
            image_tokens=request.image_tokens,
            cached_tokens=cached,
            completion_tokens=len(transcript.ids),
        ),
        timing=Timing(
            prepare=request.prepare_ms,
            vision=vision,
            prefill=prefill,
            decode=decode,
            total=request.prepare_ms + vision + prefill + decode,
        ),
        warnings=request.warnings,
    )


def _decode(
    runner: Runner, logits: Tensor, request: Request, settled: Settled, transcript: Transcript, stopped: Stopped
) -> Iterator[Text]:
    """Token after token, from the prompt's `logits` [1, V] on."""
    choose = Chooser(settled, request.token_ids, logits)
    shown = ""
    for token_id in runner.tokens(logits, choose, transcript.ids, settled.limit):
        shown = transcript.take(token_id)
        if transcript.finish_reason is not None:
            break
        if shown:
            yield Text(shown)
        if stopped():
            shown = transcript.end("interrupted")
            break
    if shown:
        yield Text(shown)


def _search(
    runner: Runner, logits: Tensor, request: Request, settled: Settled, transcript: Transcript, stopped: Stopped
) -> Iterator[Text]:
    """The best of all beams, shown when it is known. A stop string cuts it, as it would cut any answer."""
    best = search(runner.network, runner.rows(), logits, settled, request.token_ids, stopped)[0]
    for token_id in best.ids:
        shown = transcript.take(token_id)
        if shown:
            yield Text(shown)
        if transcript.finish_reason is not None:
            return
    shown = transcript.end("interrupted")
    if shown:
        yield Text(shown)
