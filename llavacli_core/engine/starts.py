"""Admitted requests on their way to their first scores: in the batch's own thread, or in a second one beside it.

A helper (`engine.threads` says where it gains) starts requests on half of the cores while the batch decodes on the
others, and the batch lends a hand when few of its rows are taken. A large network's products use all cores well.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Condition
from types import TracebackType
from typing import Generic, Protocol, TypeVar

import torch

from llavacli_core.engine.request import Request
from llavacli_core.engine.starting import Started, Starter


class Admitted(Protocol):
    """What is to be started."""

    @property
    def request(self) -> Request:
        """What there is to be computed before its next token."""


Kind = TypeVar("Kind", bound=Admitted)
Start = Callable[[Starter, Sequence[Kind], int], Started]  # by a starter, requests that share so many positions


class Launch(Generic[Kind]):
    """Requests that are started together, and what came of it."""

    def __init__(self, members: Sequence[Kind], shared: int) -> None:
        self.members, self.shared = members, shared
        self.outcome: Future[Started] = Future()

    def start(self, start: Start[Kind], starter: Starter) -> None:
        """Have it started, well or badly."""
        try:
            self.outcome.set_result(start(starter, self.members, self.shared))
        except BaseException as error:  # it is the batch that must hear of it
            self.outcome.set_exception(error)


class Starts(Generic[Kind]):
    """The way from admission to the first scores.

    `helper` is the starter of a second thread, if there is to be one; it starts at most `at_once` together.
    """

    def __init__(self, start: Start[Kind], starter: Starter, helper: Starter | None, at_once: int) -> None:
        self._start, self._starter, self._at_once = start, starter, at_once
        self._changed = Condition()
        self._admitted: list[Kind] = []
        self._is_helping = False
        self._help_given: Future[None] | None = None
        self._done: deque[Launch[Kind]] = deque()
        # A pool's thread, for its tasks end by themselves: what is left lying keeps no process from ending.
        self._helper = None if helper is None else (ThreadPoolExecutor(1, "helper"), helper)

    @property
    def waiting(self) -> int:
        """Requests that nobody has begun to start."""
        return len(self._admitted)

    @property
    def is_busy(self) -> bool:
        """Whether any request is on its way."""
        return bool(self._admitted or self._is_helping or self._done)

    @property
    def is_helped(self) -> bool:
        """Whether there is a helper."""
        return self._helper is not None

    def add(self, admitted: Kind) -> None:
        """One more is to be started."""
        with self._changed:
            self._admitted.append(admitted)
            if self._helper is not None and not self._is_helping:
                self._is_helping = True
                pool, starter = self._helper
                self._help_given = pool.submit(self._help, starter, torch.get_num_threads())

    def take(self, room: int, wait: float = 0) -> Launch[Kind] | None:
        """A group that the helper has started, if it has `room` at most, waiting so many seconds for one; else None."""
        with self._changed:
            self._changed.wait_for(lambda: self._done or not self._is_helping, wait)
            if self._help_given is not None and self._help_given.done():
                self._help_given.result()  # raises what should never happen, rather than wait for it for ever
            return self._done.popleft() if self._done and len(self._done[0].members) <= room else None

    def start(self, room: int) -> Launch[Kind] | None:
        """Start a group of `room` at most in this thread; None where the helper has taken them all."""
        with self._changed:
            launch = self._next(self._starter, room)
        if launch is not None:
            launch.start(self._start, self._starter)
        return launch

    def __enter__(self) -> Starts[Kind]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Begin nothing more, and wait for what is being started."""
        with self._changed:
            self._admitted.clear()
        if self._helper is not None:
            self._helper[0].shutdown()

    def _next(self, starter: Starter, room: int) -> Launch[Kind] | None:
        """Some of the admitted that are best started together."""
        if not self._admitted:
            return None
        groups = starter.groups([each.request for each in self._admitted])
        best = next(group for group in groups if 0 in group.members)  # that of the oldest, for nobody waits for ever
        places = best.members[:room]
        launch = Launch([self._admitted[place] for place in places], best.shared)
        self._admitted = [each for place, each in enumerate(self._admitted) if place not in places]
        return launch

    def _help(self, starter: Starter, threads: int) -> None:
        """Start what is admitted, until nothing is left."""
        torch.set_num_threads(threads)  # which each thread has for itself
        while (launch := self._next_or_rest(starter)) is not None:
            launch.start(self._start, starter)
            with self._changed:
                self._done.append(launch)
                self._changed.notify_all()

    def _next_or_rest(self, starter: Starter) -> Launch[Kind] | None:
        """The helper's next group; None ends its task."""
        with self._changed:
            launch = self._next(starter, self._at_once)
            if launch is None:
                self._is_helping = False
                self._changed.notify_all()
            return launch
