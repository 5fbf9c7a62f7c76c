"""Requests made ready ahead of the network: read in one thread, and their pictures opened and tiled in others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from threading import Semaphore, Thread
from types import TracebackType
from typing import Generic, TypeVar

Given = TypeVar("Given")
Ready = TypeVar("Ready")


class Ahead(Generic[Given, Ready]):
    """What `prepare` makes of `given`, in its order. At most `depth` are under way or waiting; nobody waits for one.

    `given` is read in a thread, so that one who thinks long between two requests keeps no answer from going on.
    """

    def __init__(self, given: Iterable[Given], prepare: Callable[[Given], Ready], *, depth: int, threads: int) -> None:
        self.over = False  # nothing more will come
        self._given, self._prepare = given, prepare
        self._room, self._closed = Semaphore(depth), False
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="prepare")
        self._queue: SimpleQueue[Future[Ready] | None] = SimpleQueue()
        self._first: Future[Ready] | None = None
        Thread(target=self._read, name="requests", daemon=True).start()

    def __enter__(self) -> Ahead[Given, Ready]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Begin nothing more, and wait for nothing."""
        self._closed = True
        self._room.release()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def peek(self, wait: float) -> Ready | None:
        """The next one if it is ready within `wait` seconds, else None. Raises what `given` or `prepare` raised."""
        try:
            if self._first is None and not self.over:
                self._first = self._queue.get(timeout=wait) if wait else self._queue.get_nowait()
                self.over = self._first is None
            if self._first is None:
                return None
            return self._first.result(timeout=wait)
        except Empty:
            return None
        except TimeoutError:
            if self._first is not None and self._first.done():
                raise  # its own
            return None

    def pop(self) -> None:
        """The next one is taken."""
        self._first = None
        self._room.release()

    def _read(self) -> None:
        """Hand out work until there is no more, or nobody wants it."""
        try:
            for given in self._given:
                self._room.acquire()
                if self._closed:
                    return
                self._queue.put(self._pool.submit(self._prepare, given))
        except BaseException as error:  # it is the one who reads the answers who must hear of it, in its turn
            failed: Future[Ready] = Future()
            failed.set_exception(error)
            self._queue.put(failed)
        finally:
            self._queue.put(None)
