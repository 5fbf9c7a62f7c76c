"""Pictures and videos opened in processes of their own: one that a decoder crashes on costs itself, and no other."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from queue import Empty, SimpleQueue
from threading import Lock
from types import TracebackType

from llavacli_core.engine.hired import Closed, Hired
from llavacli_core.engine.opening import Open, Opener
from llavacli_core.engine.prepared import Prepared, PreparedImage
from llavacli_core.engine.worker import Job, Orders
from llavacli_core.errors import BadOption, CoreError
from llavacli_core.media.names import shown
from llavacli_core.media.source import NAMELESS, SCHEME
from llavacli_core.messages import Image, Video

PATIENCE_S = 0.5  # how long a picture waits for its turn before one more process is started


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What opening one picture or one clip may take. The largest ones that are opened at all fit within these."""

    memory_bytes: int = 6 * 2**30
    image_seconds: float = 60.0
    clip_seconds: float = 600.0  # the file is hashed as well, and may have gigabytes


def opening(opener: Opener, workers: int | Workers | None) -> AbstractContextManager[Open]:
    """A way to open pictures, from any number of threads: in this process, in so many others, or in those of a pool.

    Raises BadOption at once; processes are started on entry, but those of a pool, which stay when this is left.
    """
    if workers is None:
        return nullcontext(opener.open)
    if isinstance(workers, Workers):
        return nullcontext(partial(workers.open, opener))
    return _hired(Workers(workers), opener)


@contextmanager
def _hired(workers: Workers, opener: Opener) -> Iterator[Open]:
    with workers:
        yield partial(workers.open, opener)


class Workers(AbstractContextManager["Workers"]):
    """Up to so many processes, each of which opens one picture at a time; where one dies, another takes its place.

    One is there from the beginning, and another is started whenever a picture has waited for its turn: to start one
    costs as much as to open a hundred small pictures, and one that takes a minute must not keep the others waiting.

    What an opener gives comes back the same to the last bit, and so do its errors. A picture that takes too much
    memory raises InputTooLarge; one that takes too long, or crashes the process, UnreadableInput. Relative paths are
    those of the folder that was current when a worker was started. They can be started before there is a model, so that
    they are ready when it is.
    """

    def __init__(self, count: int, limits: Limits | None = None) -> None:
        if type(count) is not int or count < 1:
            raise BadOption(f"workers must be a whole number of at least 1, or None, not {count!r}")
        if sys.platform == "win32":
            raise BadOption("pictures cannot be opened in processes of their own here", hint="leave workers out")
        self.count, self.limits = count, limits or Limits()
        orders = Orders(self.limits.memory_bytes, os.getpid())
        # Linux ends a process with the thread that started it, so one thread starts them all, and lives as long
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="workers")
        self._free = [Hired(orders, self._starter) for _ in range(count)]  # not started yet
        self._all: list[Hired] = []
        self._hiring, self._is_closed = Lock(), False
        self._idle: SimpleQueue[Hired | None] = SimpleQueue()

    def __enter__(self) -> Workers:
        """Start one, and do not wait for it."""
        try:
            self._idle.put(self._hire())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End them at once; who still waits for a picture gets an error."""
        with self._hiring:
            self._is_closed = True
        try:
            for worker in self._all:
                worker.cancel()
            for _ in self._all:
                self._idle.get()  # given back by whoever had it
        finally:
            self._idle.put(None)
            self._end()

    def open(self, opener: Opener, part: Image | Video) -> Prepared:
        """A picture or a video as `opener` makes it ready for the tower; waits for a process to be idle.

        What this process has decoded already (PIL images, frames) is opened in it: to send it costs as much.
        """
        job = self._job(opener, part)
        if job is None:
            return opener.open(part)
        with self._taken() as worker:
            answer = worker.ask(job)
        if isinstance(answer, CoreError):
            raise answer
        if isinstance(part, Image):
            assert isinstance(answer, PreparedImage)
            return replace(answer, source=part)
        assert not isinstance(answer, PreparedImage)
        return replace(answer, source=part)

    @contextmanager
    def _taken(self) -> Iterator[Hired]:
        """One that is idle, until it is again."""
        worker = self._next()
        try:
            if worker is None:
                raise Closed
            yield worker
        finally:
            self._idle.put(worker)

    def _next(self) -> Hired | None:
        """The next that is idle; a new one if that takes long. None when all are ended."""
        try:
            return self._idle.get(timeout=PATIENCE_S)
        except Empty:
            with suppress(CoreError):  # those that are there must do, then
                worker = self._hire()
                if worker is not None:
                    return worker
            return self._idle.get()

    def _hire(self) -> Hired | None:
        """One more, if there may be one more. Raises CoreError if there can be none."""
        with self._hiring:
            if self._is_closed or not self._free:
                return None
            worker = self._free[-1]
            worker.start()  # where this fails, it may be tried again
            self._all.append(self._free.pop())
            return worker

    def _job(self, opener: Opener, part: Image | Video) -> Job | None:
        """The part in plain types, which any process knows; None for what is no file."""
        source, name = part.source, NAMELESS
        if isinstance(source, (str, PathLike)):
            source = str(os.fsdecode(source))
            name = shown(source)
        elif isinstance(source, (bytes, bytearray, memoryview)):
            source = bytes(source)
        else:
            return None
        seconds = self.limits.image_seconds if isinstance(part, Image) else self.limits.clip_seconds
        if isinstance(source, str) and SCHEME.match(source):
            from llavacli_core.media.fetch import DEADLINE_S  # only those who fetch pay for urllib and ssl

            seconds += DEADLINE_S
        if isinstance(part, Image):
            return Job(opener, Image(source, part.max_tiles, part.marks), name, seconds)
        return Job(opener, Video(source, part.frames, part.fps), name, seconds)

    def _end(self) -> None:
        for worker in self._all:
            worker.end()
        self._starter.shutdown()
