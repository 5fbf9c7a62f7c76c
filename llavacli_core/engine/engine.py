"""The engine: a checkpoint loaded, ready to answer. Stateless; conversations are `Session`s made from it."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from os import PathLike

from llavacli_core.checkpoint.load import load_network
from llavacli_core.checkpoint.locate import locate
from llavacli_core.engine.generate import Generation, Stopped, answer
from llavacli_core.engine.memory import Memory
from llavacli_core.engine.processor import ModelInfo, Processor, Request
from llavacli_core.engine.session import Session
from llavacli_core.errors import BadOption
from llavacli_core.events import Event
from llavacli_core.messages import Message
from llavacli_core.nn.llava import Llava
from llavacli_core.options import Placement, Sampling


class Engine:
    """A processor and a network."""

    def __init__(self, processor: Processor, network: Llava, load_ms: float = 0.0) -> None:
        self.processor = processor
        self.network = network
        self.load_ms = load_ms

    @property
    def info(self) -> ModelInfo:
        """Which checkpoint answers, and where it runs."""
        weight = self.network.decoder.norm.weight
        return replace(
            self.processor.info,
            dtype=str(weight.dtype).removeprefix("torch."),
            quant="none",
            device=str(weight.device),
        )

    def generate(self, messages: Sequence[Message], sampling: Sampling | None = None) -> Generation:
        """Answer a conversation: Text events as words are made, and a Done at the end.

        Errors of the core's tree are raised when the events are asked for.
        """
        listed = list(messages)
        if not listed:
            raise BadOption("there is no message to answer", hint="give at least one")
        sampling = Sampling() if sampling is None else sampling
        return Generation(
            lambda stopped: self.answer(self.processor.prepare(listed), sampling, Memory(self.network), stopped)
        )

    def session(self, system: str | None = None) -> Session:
        """A conversation that keeps its turns and its KV cache."""
        return Session(self, system)

    def answer(self, request: Request, sampling: Sampling, memory: Memory, stopped: Stopped) -> Generator[Event]:
        """Answer a prepared request with what `memory` knows already."""
        if sampling.beams > 1:
            raise BadOption("beam search is not available yet", hint="--beams 1")
        self.processor.check_fits(request)
        yield from answer(self.network, self.processor.tokenizer, request, sampling, memory, stopped)


def load(
    model: str | PathLike[str],
    *,
    device: str = "auto",
    dtype: str = "auto",
    quantize: str | None = None,
    attention: str = "auto",
    revision: str | None = None,
    offline: bool = False,
    template: str | None = None,
) -> Engine:
    """Load a checkpoint: a folder, a Hub id (fetched if it is not in the cache), an alias, or "demo". Never prints."""
    placement = Placement(device=device, dtype=dtype, quantize=quantize, attention=attention)
    started = time.perf_counter()
    processor = Processor(locate(model, revision=revision, offline=offline), template)
    network = load_network(processor.located.folder, processor.description, placement)
    return Engine(processor, network, (time.perf_counter() - started) * 1e3)
