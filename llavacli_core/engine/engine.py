"""The engine: a checkpoint loaded, ready to answer. Stateless; conversations are `Session`s made from it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from os import PathLike
from typing import Literal

import torch

from llavacli_core.budgets import MaxMemory, memory_budgets
from llavacli_core.checkpoint.load import load_network
from llavacli_core.checkpoint.parts import cache_bytes
from llavacli_core.checkpoint.place import free_memory, memory_for
from llavacli_core.checkpoint.quantize import quantization
from llavacli_core.engine import serving
from llavacli_core.engine.captions import CaptionProcessor
from llavacli_core.engine.fit import advice, fit, refuse_impossible, work_of
from llavacli_core.engine.generate import Generation, Stopped, answer
from llavacli_core.engine.info import ModelInfo
from llavacli_core.engine.memory import Memory
from llavacli_core.engine.processor import Processor
from llavacli_core.engine.processor_loading import open_processor
from llavacli_core.engine.request import Request
from llavacli_core.engine.runner import Caption, Conversation, Runner
from llavacli_core.engine.scores import Scores, score
from llavacli_core.engine.session import Session
from llavacli_core.engine.starting import Captions, Conversations, Starter
from llavacli_core.engine.threads import is_tiny
from llavacli_core.engine.where import cache_devices, where
from llavacli_core.engine.workers import Workers, opening
from llavacli_core.errors import BadOption, OutOfMemory
from llavacli_core.events import BatchEvent, Event
from llavacli_core.hub.locate import locate
from llavacli_core.messages import Message
from llavacli_core.nn.encoder_decoder import EncoderDecoder
from llavacli_core.nn.llava import Llava
from llavacli_core.options import Placement, Sampling

SMALLER = "a smaller --max-memory, so that fewer layers stay there, --quant or a smaller --max-tokens"


class Engine:
    """A processor and a network."""

    def __init__(
        self, processor: Processor | CaptionProcessor, network: Llava | EncoderDecoder, load_ms: float = 0.0
    ) -> None:
        self.processor = processor
        self.network = network
        self.load_ms = load_ms

    @property
    def device(self) -> torch.device:
        """Where the network computes."""
        return next(self.network.parameters()).device

    @property
    def info(self) -> ModelInfo:
        """Which checkpoint answers, and where it runs."""
        weight = next(self.network.parameters())
        return replace(
            self.processor.info,
            dtype=str(weight.dtype).removeprefix("torch."),
            quant=quantization(self.network),
            device=where(self.network),
        )

    @property
    def is_tiny(self) -> bool:
        """Whether one core answers a request as fast as several: torch.set_num_threads(1), then."""
        return is_tiny(self.network)

    def generate(self, messages: Sequence[Message], sampling: Sampling | None = None) -> Generation[Event]:
        """Answer a conversation: Text events as words are made, and a Done at the end.

        A captioner takes one message that holds one image. Errors of the core's tree are raised when the events are
        asked for.
        """
        listed = list(messages)
        wanted = Sampling() if sampling is None else sampling

        def events(stopped: Stopped) -> Generator[Event]:
            yield from self.answer(self.processor.prepare(listed), wanted, stopped=stopped)

        return Generation(events)

    def batch(
        self,
        requests: Iterable[serving.Asked],
        rows: int | Literal["auto"] = serving.ROWS,
        workers: int | Workers | None = None,
    ) -> Generation[tuple[int, BatchEvent]]:
        """Answer many: pairs of messages and sampling (or None), `rows` of them decoded together.

        Fewer where memory does not suffice; "auto" is as many as serve this device well.

        Each event comes with its request's index: Text as words are made, and last Done, or Failed for a request that
        came to nothing, while the others go on. An answer comes as soon as it is done, whatever came before it.
        `requests` may be endless, or come slowly: it is read in a thread of its own, a little ahead. Pictures are
        opened ahead too: in up to so many `workers`, which are processes (or in those of a pool that was started
        before), so that no picture can take this one down or keep it waiting; without them, in threads.
        """
        if rows == "auto":
            rows = serving.AUTO_ROWS[self.device.type]
        if not isinstance(rows, int) or rows < 1:
            raise BadOption(f"rows must be a whole number of at least 1, or auto, not {rows!r}")
        pictures = opening(self.processor.opener, workers)
        count = workers.count if isinstance(workers, Workers) else workers or 0
        threads = max(serving.THREADS, count)  # each waits for one worker
        return Generation(lambda stopped: serving.run(self, requests, rows, stopped, opening=pictures, threads=threads))

    def forward(
        self,
        messages: Sequence[Message],
        answer: Sequence[int] = (),
        *,
        hidden_states: bool = False,
        attentions: bool = False,
    ) -> Scores:
        """The scores of every position of a conversation's prompt, and of the ids of an `answer` behind it.

        On request also the decoder's hidden states, and its attention weights, which grow with the length squared.
        """
        request = self.processor.prepare(list(messages))
        self.processor.check_fits(request)
        return score(self.network, request, answer, hidden_states=hidden_states, attentions=attentions)

    def session(self, system: str | None = None) -> Session:
        """A conversation that keeps its turns and its KV cache."""
        return Session(self, system)

    def memory(self) -> Memory | None:
        """What a conversation keeps; None for a captioner, which has nothing to come back to."""
        return None if isinstance(self.network, EncoderDecoder) else Memory(self.network)

    def answer(
        self, request: Request, sampling: Sampling, memory: Memory | None = None, *, stopped: Stopped
    ) -> Generator[Event]:
        """Answer a prepared request with what `memory` knows already."""
        self.processor.check_fits(request)
        settled = self.processor.settled(request, sampling)
        try:
            with memory_for(f"an answer of up to {settled.limit} tokens", self.device, SMALLER):
                yield from answer(self.runner(request, memory), self.processor.tokenizer, request, settled, stopped)
        except OutOfMemory as error:
            raise OutOfMemory(str(error), hint=self._advice(request, sampling, error.hint)) from error

    def _advice(self, request: Request, sampling: Sampling, hint: str | None) -> str:
        """What to do when memory has failed: the hint of the place, and what takes less than this."""
        info = self.info
        placement = Placement(device=str(self.device), dtype=info.dtype or "auto", quantize=None)
        work = work_of(self.processor, request, sampling)
        took = fit(self.processor, work, placement=placement).footprint.total
        return f"{hint or 'a smaller model'}; {advice(self.processor.description, placement, work, below=took)}"

    def runner(self, request: Request, memory: Memory | None = None) -> Runner:
        """The way of a request through this network."""
        if isinstance(self.network, EncoderDecoder):
            return Caption(self.network, request)
        return Conversation(self.network, request, Memory(self.network) if memory is None else memory)

    def starter(self) -> Starter:
        """The way of several requests into this network."""
        return Captions(self.network) if isinstance(self.network, EncoderDecoder) else Conversations(self.network)

    def positions_in(self, share: float) -> int:
        """How many positions' keys and values such a share of what is free would hold, wherever these lie."""
        size = cache_bytes(self.network.config, next(self.network.parameters()).itemsize)
        layers = Counter(cache_devices(self.network))
        return min(int(self._free(device) * share) // (size * count) for device, count in layers.items())

    def _free(self, device: torch.device) -> int:
        """Bytes of a device that nothing has, and that no weights will yet take."""
        pending = self.network.decoder.settling.pending if device.type == "cpu" else 0
        return max(0, free_memory(device) - pending)


def load(  # noqa: PLR0913 - a keyword for each flag
    model: str | PathLike[str],
    *,
    device: str = "auto",
    dtype: str = "auto",
    quantize: str | None = None,
    attention: str = "auto",
    max_memory: MaxMemory = None,
    revision: str | None = None,
    offline: bool = False,
    template: str | None = None,
) -> Engine:
    """Load a checkpoint: a folder, a Hub id (fetched if it is not in the cache), an alias, or "demo". Never prints.

    `max_memory` is what weights, cache and computing may take: a size ("8GiB") of the device, "DEVICE=SIZE", several of
    these, or a mapping ({0: "20GiB", "cpu": "64GiB"}). Layers that do not fit are fetched when they are needed.
    """
    placement = Placement(
        device=device, dtype=dtype, quantize=quantize, attention=attention, max_memory=memory_budgets(max_memory)
    )
    started = time.perf_counter()
    refuse_impossible(model, placement, revision=revision, offline=offline)
    processor = open_processor(locate(model, revision=revision, offline=offline), template)
    network = load_network(processor.located.folder, processor.description, placement)
    return Engine(processor, network, (time.perf_counter() - started) * 1e3)
