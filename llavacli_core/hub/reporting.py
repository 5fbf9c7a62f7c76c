"""Work in threads that says how far it is: jobs in, progress and results out, in the order they come."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from llavacli_core.events import Progress

SECONDS = 0.05  # between two reports of bytes


class Meter:
    """Counts bytes for all threads, and now and then says how many they are."""

    def __init__(self, total: int, tell: Callable[[Any], None], done: int = 0) -> None:
        self._done, self._total, self._tell = done, total, tell
        self._lock, self._told = threading.Lock(), 0.0

    def add(self, count: int) -> None:
        """So many bytes more, or fewer where some have to come again."""
        with self._lock:
            self._done += count
            now = time.monotonic()
            if now - self._told < SECONDS:
                return
            self._told = now
            progress = Progress(self._done, self._total)
        self._tell(progress)

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return Progress(self._done, self._total)


Job = Callable[[Callable[[Any], None], Meter, threading.Event], None]


def reported(jobs: Sequence[Job], *, total: int, done: int = 0, threads: int) -> Iterator[Any]:
    """Run the jobs; each is given a way to tell something, the meter, and the event that says to give up.

    The first error ends the others and is raised. Leaving off earlier ends them too; nobody waits for them, since a
    thread may be deep in a read from a slow server.
    """
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    meter, stopped = Meter(total, told.put, done), threading.Event()
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)

    def work() -> None:
        try:
            while not stopped.is_set():
                waiting.get_nowait()(told.put, meter, stopped)
                told.put(_DONE)
        except queue.Empty:
            pass
        except BaseException as error:
            told.put(_Failed(error))

    try:
        yield meter.progress
        for _ in range(min(threads, len(jobs))):
            threading.Thread(target=work, name="transfer", daemon=True).start()
        unfinished = len(jobs)
        while unfinished:
            report = told.get()
            if report is _DONE:
                unfinished -= 1
            elif isinstance(report, _Failed):
                raise report.error
            else:
                yield report
        yield meter.progress
    finally:
        stopped.set()


_DONE = object()


class _Failed:
    def __init__(self, error: BaseException) -> None:
        self.error = error
