"""The generate loop: encode, prefill, then step after step until a stop id, a stop string or the limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator

import torch
from torch import Tensor

from llavacli_core.engine.forward import encode_pictures, prefill, step
from llavacli_core.engine.memory import Memory, keys_of
from llavacli_core.engine.processor import Request
from llavacli_core.engine.sampling import Chooser
from llavacli_core.engine.transcript import Transcript
from llavacli_core.events import Done, Event, Text, Timing, Usage
from llavacli_core.nn.llava import Llava
from llavacli_core.options import Sampling
from llavacli_core.prompt.tokenizer import Tokenizer

Stopped = Callable[[], bool]


class Generation(Iterator[Event]):
    """The events of one answer as they are made."""

    def __init__(self, answer: Callable[[Stopped], Generator[Event]]) -> None:
        self._stopped = False
        self._events = answer(lambda: self._stopped)

    def __next__(self) -> Event:
        return next(self._events)

    def stop(self) -> None:
        """End at the next token, with Done(finish_reason="interrupted") as the last event. Safe in a signal handler."""
        self._stopped = True

    def close(self) -> None:
        """Abandon the answer: no further events, no Done; a session forgets the turn."""
        self._events.close()


class Stopwatch:
    """Milliseconds between laps; a lap waits for the device, so that its work is counted where it belongs."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.started = self.last = time.perf_counter()

    def lap(self) -> float:
        """Milliseconds since the last lap."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        before, self.last = self.last, time.perf_counter()
        return (self.last - before) * 1e3


def answer(
    network: Llava, tokenizer: Tokenizer, request: Request, sampling: Sampling, memory: Memory, stopped: Stopped
) -> Generator[Event]:
    """Events of one answer. What `memory` shares with the request is not computed again; it keeps what is new."""
    watch = Stopwatch(memory.cache.device)
    keys = keys_of(request)
    reused = memory.reuse(keys)
    encode_pictures(network, request, memory, reused)
    vision = watch.lap()
    logits = prefill(network, request, memory, keys, reused)
    prefilled = watch.lap()
    limit = min(sampling.max_tokens, network.config.decoder.max_position_embeddings - len(keys))
    transcript = Transcript(tokenizer, request.stop_ids, sampling.stop, limit)
    yield from _decode(network, logits, request, sampling, memory, transcript, stopped)
    decoded = watch.lap()
    assert transcript.finish_reason is not None
    yield Done(
        text=transcript.text,
        token_ids=tuple(transcript.ids),
        finish_reason=transcript.finish_reason,
        prompt_text=request.prompt_text,
        images=request.images,
        usage=Usage(
            prompt_tokens=len(keys),
            image_tokens=request.image_tokens,
            cached_tokens=reused,
            completion_tokens=len(transcript.ids),
        ),
        timing=Timing(
            prepare=request.prepare_ms,
            vision=vision,
            prefill=prefilled,
            decode=decoded,
            total=request.prepare_ms + vision + prefilled + decoded,
        ),
        warnings=request.warnings,
    )


def _decode(
    network: Llava,
    logits: Tensor,
    request: Request,
    sampling: Sampling,
    memory: Memory,
    transcript: Transcript,
    stopped: Stopped,
) -> Iterator[Text]:
    """Token after token, from the prompt's `logits` [1, V] on."""
    choose = Chooser(sampling, torch.tensor(request.token_ids, device=logits.device), logits.shape[-1])
    chosen = choose(logits)
    shown = transcript.take(int(chosen))
    while transcript.finish_reason is None:
        if shown:
            yield Text(shown)
        if stopped():
            shown = transcript.end("interrupted")
        else:
            chosen = choose(step(network, chosen, transcript.ids[-1], memory))
            shown = transcript.take(int(chosen))  # the one synchronisation of a step
    if shown:
        yield Text(shown)
