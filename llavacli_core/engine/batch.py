"""Requests decoded together on one network: each is admitted when there is room, and leaves as soon as it is done."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from llavacli_core.checkpoint.place import memory_for
from llavacli_core.engine.ahead import Ahead
from llavacli_core.engine.drafts import Drafts
from llavacli_core.engine.forward import FEWER
from llavacli_core.engine.generate import Stopped, Stopwatch, done
from llavacli_core.engine.request import Request
from llavacli_core.engine.sampling import Chooser
from llavacli_core.engine.scheduler import Scheduler
from llavacli_core.engine.settled import Settled
from llavacli_core.engine.starting import Started, Starter
from llavacli_core.engine.starts import Launch, Starts
from llavacli_core.engine.together import Answering, Together
from llavacli_core.engine.transcript import Transcript
from llavacli_core.errors import CoreError, OutOfMemory
from llavacli_core.events import BatchEvent, Failed, Text

if TYPE_CHECKING:
    from torch import Tensor

    from llavacli_core.engine.engine import Engine

IDLE = 0.05  # seconds to wait for a request when none is under way, before looking whether to stop
FEW = 0.5  # of the rows: with no more than that running, the batch's own thread starts requests, too
MORE = 8  # requests, and no more than there are rows, that the helper may start before a row is free for them
MEMORY_SHARE = 0.5  # of what is free, for keys and values; the rest is left to activations

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


@dataclass(eq=False)
class Underway:
    """An admitted request; put aside when memory fails, it waits for its turn again with what it has said."""

    ready: Ready
    watch: Stopwatch
    cached: int = 0
    answering: Answering[Transcript] | None = None

    @property
    def request(self) -> Request:
        """What there is to be computed before its next token."""
        request = self.ready.request
        return request if self.answering is None else request.going_on(self.answering.tally.ids)


class Batch:
    """The requests that run, and the way in and out."""

    def __init__(self, engine: Engine, rows: int, *, helped: bool = False) -> None:
        """At most `rows` are decoded together; a helper starts some more, which then wait for a row."""
        self.engine, self.rows = engine, rows
        more = min(rows, MORE) if helped else 0
        self.scheduler = Scheduler(rows + more, engine.positions_in(MEMORY_SHARE))
        self.starter = engine.starter()
        helper = engine.starter() if helped else None
        at_once = max(1, rows // 2)  # so that they need not wait until all rows are free
        self.starts: Starts[Underway] = Starts(self._start, self.starter, helper, at_once)
        drafts = Drafts() if rows > 1 else None  # a single row is computed exactly as one answer alone
        self.together: Together[Transcript] = Together(engine.network, rows, drafts)
        self.waiting: deque[Underway] = deque()
        self.running: dict[Answering[Transcript], Underway] = {}
        self.aside: set[Underway] = set()  # those that have begun, and wait until there is memory for them again

    @property
    def is_busy(self) -> bool:
        """Whether requests run, or wait for their turn."""
        return bool(self.running or self.waiting or self.starts.is_busy)

    def receive(self, ahead: Ahead[Any, Ready | Numbered]) -> list[Numbered]:
        """Take in what is ready and has a row; those that failed come back. Raises what `ahead` raises."""
        failed: list[Numbered] = []
        while len(self.waiting) < self.scheduler.free:
            taken = ahead.take(0 if self.is_busy or failed else IDLE)
            if taken is None:
                break
            if isinstance(taken, Ready):
                self.waiting.append(Underway(taken, Stopwatch(self.engine.device)))
            else:
                failed.append(taken)
        return failed

    def advance(self, stopped: Stopped) -> Generator[Numbered]:
        """Admit those for whom there is room and start some, else one token more for every request that runs."""
        while self.waiting and self.scheduler.admits(self.waiting[0].ready.room):
            under = self.waiting.popleft()
            if under.ready.settled.sampling.beams > 1:
                yield from self._search(under.ready, stopped)
            else:
                self.scheduler.admit(under.ready.index, under.ready.room)
                self.starts.add(under)
        launch = self._next_launch()
        if launch is not None:
            start = launch.outcome.result
            if isinstance(launch.outcome.exception(), OutOfMemory):  # there may be room when nothing else is computed
                start = partial(self._start, self.starter, launch.members, launch.shared)
            yield from self._started(launch.members, launch.shared, start)
        elif self.running:
            yield from self._step()

    def _next_launch(self) -> Launch[Underway] | None:
        """Requests that may run from now on: started by the helper, or here if there is none or few run."""
        room = self.rows - len(self.running) if self.running else sys.maxsize
        idle = not self.running and not self.starts.waiting
        launch = self.starts.take(room, IDLE if idle else 0)
        if launch is not None or (self.starts.is_helped and len(self.running) > FEW * self.rows):
            return launch
        return self.starts.start(min(room, self.rows))

    def serve(self, ahead: Ahead[Any, Ready | Numbered], stopped: Stopped) -> Generator[Numbered]:
        """Events of what is ahead, until there is no more. What `ahead` raises comes after all that came before it."""
        with self.starts:
            while not stopped():
                try:
                    failed = self.receive(ahead)
                except BaseException:
                    while self.is_busy and not stopped():
                        yield from self.advance(stopped)
                    yield from self.interrupt()
                    raise
                yield from failed
                if ahead.over and not self.is_busy:
                    return
                yield from self.advance(stopped)
            yield from self.interrupt()

    def interrupt(self) -> Generator[Numbered]:
        """End every request that was begun."""
        self.running |= {under.answering: under for under in self.aside if under.answering is not None}
        ended = [(answering, answering.tally.end("interrupted")) for answering in list(self.running)]
        self.together.drop_ended()
        yield from self._tell(ended)

    def _search(self, ready: Ready, stopped: Stopped) -> Generator[Numbered]:
        """Beams are searched at once, and alone."""
        try:
            for event in self.engine.answer(ready.request, ready.settled.sampling, stopped=stopped):
                yield ready.index, event
        except CoreError as error:
            yield ready.index, Failed(error)

    def _start(self, starter: Starter, group: Sequence[Underway], shared: int) -> Started:
        """Bring a group to its first scores."""
        watches = [under.watch for under in group if under.answering is None]

        def lap() -> None:
            for watch in watches:
                watch.lap()

        for watch in watches:
            watch.start()
        started = starter.start([under.request for under in group], shared, lap)
        lap()
        return started

    def _started(self, group: Sequence[Underway], shared: int, start: Callable[[], Started]) -> Generator[Numbered]:
        """Let a group run from now on. Where it fails to start, by halves, until the one is found that it fails for."""
        try:
            started = start()
            with memory_for(f"{len(group)} answers", self.engine.device, FEWER):
                answers = [self._answering(under, started.logits[row : row + 1]) for row, under in enumerate(group)]
            shown = self.together.join(started.rows, started.logits, answers)
        except CoreError as error:
            yield from self._not_started(group, shared, error)
            return
        for under, answering, cached in zip(group, answers, started.cached, strict=True):
            under.cached = cached if under.answering is None else under.cached
            under.answering = answering
            self.running[answering] = under
            self.aside.discard(under)
        yield from self._tell(shown)

    def _not_started(self, group: Sequence[Underway], shared: int, error: CoreError) -> Generator[Numbered]:
        """What becomes of a group that failed."""
        if len(group) > 1:
            half = (len(group) + 1) // 2
            for part in (group[:half], group[half:]):
                yield from self._started(part, shared, partial(self._start, self.starter, part, shared))
            return
        (under,) = group
        self.scheduler.retire(under.ready.index)
        if isinstance(error, OutOfMemory) and self.running:
            self.scheduler.rows = len(self.running)  # it waits until one of these has ended
            if under.answering is None:
                under.watch.laps.clear()
            self.waiting.appendleft(under)
        else:
            self.aside.discard(under)
            yield under.ready.index, Failed(error)

    def _answering(self, under: Underway, logits: Tensor) -> Answering[Transcript]:
        """How a request is answered, from its first scores [1, V] on."""
        ready = under.ready
        return under.answering or Answering(
            Chooser(ready.settled, ready.request.token_ids, logits),
            Transcript(self.engine.processor.tokenizer, ready.settled, ready.request.said),
        )

    def _step(self) -> Generator[Numbered]:
        """One token more; where memory fails for all, half of them are put aside, and go on when others have ended."""
        try:
            shown = self.together.step()
        except OutOfMemory as error:
            staying = len(self.running) // 2
            for answering in reversed(self.together.put_aside(len(self.running) - staying)):
                under = self.running.pop(answering)
                self.scheduler.retire(under.ready.index)
                if staying:
                    self.waiting.appendleft(under)
                    self.aside.add(under)
                else:
                    yield under.ready.index, Failed(error)
            self.scheduler.rows = max(staying, 1)
            return
        yield from self._tell(shown)

    def _tell(self, shown: Sequence[tuple[Answering[Transcript], str]]) -> Generator[Numbered]:
        """The events of a step."""
        for answering, text in shown:
            under = self.running[answering]
            if text:
                yield under.ready.index, Text(text)
            if answering.tally.finish_reason is not None:
                under.watch.lap()
                del self.running[answering]
                self.scheduler.retire(under.ready.index)
                event = done(under.ready.request, under.ready.settled, answering.tally, under.watch, under.cached)
                yield under.ready.index, event
