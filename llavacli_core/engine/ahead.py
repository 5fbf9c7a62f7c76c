"""Requests made ready ahead of the network: pictures are opened and tiled in threads while it computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

Given = TypeVar("Given")
Ready = TypeVar("Ready")


class Ahead(Generic[Given, Ready]):
    """A queue of what `prepare` makes of `given`, in its order; at most `depth` are under way or waiting."""

    def __init__(self, given: Iterable[Given], prepare: Callable[[Given], Ready], *, depth: int, threads: int) -> None:
        self._given: Iterator[Given] = iter(given)
        self._prepare, self._depth = prepare, depth
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="prepare")
        self._queue: deque[Future[Ready]] = deque()
        self._fill()

    def __enter__(self) -> Ahead[Given, Ready]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Begin nothing more, and wait for nothing but what a thread has in hand."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def __bool__(self) -> bool:
        """Whether there is a next one."""
        return bool(self._queue)

    def peek(self) -> Ready:
        """The next one, as soon as it is ready; its error if it came to nothing, in which case it is gone."""
        try:
            return self._queue[0].result()
        except Exception:
            self.pop()
            raise

    def pop(self) -> None:
        """The next one is taken."""
        self._queue.popleft()
        self._fill()

    def _fill(self) -> None:
        """Hand out work until `depth` are in the queue."""
        while len(self._queue) < self._depth:
            try:
                given = next(self._given)
            except StopIteration:
                return
            self._queue.append(self._pool.submit(self._prepare, given))
