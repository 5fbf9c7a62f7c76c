"""One answer on its way: events that can be stopped from a signal handler."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

from llavacli.repl.turns import Notice

if TYPE_CHECKING:
    import llavacli_core as core

    Event = Notice | core.Text | core.Done
    Events = Generator[Event]


class Answering(Iterator["Event"]):
    """Notices, then Text as words are made, and a Done at the end. What goes wrong is raised in its place.

    Abandoned before its end (`close`, or an error), it leaves the conversation as it was before.
    """

    def __init__(self, events: Callable[[Answering], Events]) -> None:
        self._stopped = False
        self._generation: core.Generation[core.Event] | None = None
        self._events = events(self)

    def __next__(self) -> Event:
        return next(self._events)

    def stop(self) -> None:
        """End at the next token; what was said until then is kept. Safe in a signal handler."""
        self._stopped = True
        if self._generation is not None:
            self._generation.stop()

    def close(self) -> None:
        """Abandon the answer: the turn is taken back."""
        self._events.close()

    def run(self, generation: core.Generation[core.Event]) -> Iterator[core.Event]:
        """The core's events, of an answer that `stop` reaches."""
        self._generation = generation
        if self._stopped:
            generation.stop()
        return generation
