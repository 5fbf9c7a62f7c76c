"""Many requests on one network: each is admitted when there is room, and answered as soon as it is done."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llavacli_core.checkpoint.place import free_memory
from llavacli_core.engine.ahead import Ahead
from llavacli_core.engine.generate import Stopped, Stopwatch, done
from llavacli_core.engine.opening import Open
from llavacli_core.engine.request import Request
from llavacli_core.engine.sampling import Chooser
from llavacli_core.engine.scheduler import Scheduler
from llavacli_core.engine.settled import Settled
from llavacli_core.engine.together import Answering, Together
from llavacli_core.engine.transcript import Transcript
from llavacli_core.errors import BadOption, CoreError, OutOfMemory
from llavacli_core.events import BatchEvent, Failed, Text
from llavacli_core.messages import Message
from llavacli_core.options import Sampling

if TYPE_CHECKING:
    from llavacli_core.engine.engine import Engine

ROWS = 8
AUTO_ROWS = {"cpu": 16, "mps": 16, "cuda": 64}  # a CPU gains nothing beyond; memory may allow fewer
THREADS = 4
IDLE = 0.05  # seconds to wait for a request when none is under way, before looking whether to stop
MEMORY_SHARE = 0.5  # of what is free, for keys and values; the rest is left to activations

Asked = tuple[Sequence[Message], Sampling | None]
Numbered = tuple[int, BatchEvent]


@dataclass(frozen=True)
class Ready:
    """A request that only waits for its turn."""

    index: int
    request: Request
    settled: Settled

    @property
    def room(self) -> int:
        """Positions it may need in the end."""
        return len(self.request.token_ids) + self.settled.limit


@dataclass(frozen=True)
class Underway:
    """An admitted request."""

    ready: Ready
    watch: Stopwatch
    cached: int


class Batch:
    """The requests that run, and the way in and out."""

    def __init__(self, engine: Engine, rows: int) -> None:
        self.engine = engine
        self.scheduler = Scheduler(rows, engine.positions_in(int(free_memory(engine.device) * MEMORY_SHARE)))
        self.together: Together[Transcript] = Together(engine.network)
        self.underway: dict[Answering[Transcript], Underway] = {}

    def admit(self, ready: Ready, stopped: Stopped) -> Generator[Numbered]:
        """Prefill a request, and let it join those that run. Beams are searched at once, and alone."""
        if ready.settled.sampling.beams > 1:
            for event in self.engine.answer(ready.request, ready.settled.sampling, stopped=stopped):
                yield ready.index, event
            return
        runner = self.engine.runner(ready.request)
        watch = Stopwatch(runner.device)
        runner.encode()
        watch.lap()
        logits = runner.prefill()
        watch.lap()
        answering = Answering(
            Chooser(ready.settled, ready.request.token_ids, logits),
            Transcript(self.engine.processor.tokenizer, ready.settled, ready.request.said),
        )
        shown = self.together.join(runner.rows(), logits, [answering])
        self.scheduler.admit(ready.index, ready.room)
        self.underway[answering] = Underway(ready, watch, runner.cached)
        yield from self._tell(shown)

    def step(self) -> Generator[Numbered]:
        """One token more for every request that runs."""
        yield from self._tell(self.together.step())

    def interrupt(self) -> Generator[Numbered]:
        """End every request that runs."""
        ended = [(answering, answering.tally.end("interrupted")) for answering in list(self.underway)]
        self.together.drop_ended()
        yield from self._tell(ended)

    def _tell(self, shown: Sequence[tuple[Answering[Transcript], str]]) -> Generator[Numbered]:
        """The events of a step."""
        for answering, text in shown:
            under = self.underway[answering]
            if text:
                yield under.ready.index, Text(text)
            if answering.tally.finish_reason is not None:
                under.watch.lap()
                del self.underway[answering]
                self.scheduler.retire(under.ready.index)
                event = done(under.ready.request, under.ready.settled, answering.tally, under.watch, under.cached)
                yield under.ready.index, event


def run(
    engine: Engine,
    requests: Iterable[Asked],
    rows: int,
    stopped: Stopped,
    *,
    opening: AbstractContextManager[Open],
    threads: int = THREADS,
) -> Generator[Numbered]:
    """Events of all requests, each with its request's index. One that fails is told so, and the others go on.

    They are prepared in so many threads, their pictures opened in a way of `opening`.
    """

    def prepare(numbered: tuple[int, Asked]) -> Ready | Numbered:
        index, asked = numbered
        try:
            messages, sampling = _pair(asked)
            request = engine.processor.prepare(messages, open=open_part)
            engine.processor.check_fits(request)
            return Ready(index, request, engine.processor.settled(request, sampling or Sampling()))
        except CoreError as error:
            return index, Failed(error)

    batch = Batch(engine, rows)
    depth = rows + threads
    with opening as open_part, Ahead(enumerate(requests), prepare, depth=depth, threads=threads) as waiting:
        while not stopped():
            try:
                first = waiting.peek(0 if batch.underway else IDLE)
            except BaseException:
                while batch.underway and not stopped():  # what raised comes after those that run
                    yield from batch.step()
                yield from batch.interrupt()
                raise
            if first is None or (isinstance(first, Ready) and not batch.scheduler.admits(first.room)):
                if batch.underway:
                    yield from batch.step()
                elif waiting.over:
                    return
                continue
            if isinstance(first, Ready):
                try:
                    yield from batch.admit(first, stopped)
                except CoreError as error:
                    if isinstance(error, OutOfMemory) and batch.underway:
                        batch.scheduler.rows = len(batch.underway)  # it waits until one of these has ended
                        continue
                    yield first.index, Failed(error)
            else:
                yield first
            waiting.pop()
        yield from batch.interrupt()


def _pair(asked: Asked) -> Asked:
    """A request as it must be."""
    if not isinstance(asked, tuple | list) or len(asked) != 2:
        raise BadOption("a request is a pair of messages and sampling (or None)", hint="[(messages, None), ...]")
    if asked[1] is not None and not isinstance(asked[1], Sampling):
        raise BadOption(f"a request's sampling is core.Sampling or None, not {type(asked[1]).__name__}")
    return asked[0], asked[1]
