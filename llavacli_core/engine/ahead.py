"""Requests made ready ahead of the network: read in one thread, and their pictures opened and tiled in others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Condition, Semaphore, Thread
from types import TracebackType
from typing import Generic, TypeVar

Given = TypeVar("Given")
Ready = TypeVar("Ready")


class Ahead(Generic[Given, Ready]):
    """What `prepare` makes of `given`: of what is ready, the first. At most `depth` are under way or waiting.

    `given` is read in a thread, so that one who thinks long between two requests keeps no answer from going on; nor
    does a request that takes long to prepare. Any number of threads may take from here.
    """

    def __init__(self, given: Iterable[Given], prepare: Callable[[Given], Ready], *, depth: int, threads: int) -> None:
        self._given, self._prepare = given, prepare
        self._room, self._closed = Semaphore(depth), False
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="prepare")
        self._changed = Condition()
        self._pending: list[Future[Ready]] = []
        self._is_read = False  # to the end
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

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self._is_read and not self._pending

    def take(self, wait: float) -> Ready | None:
        """One that is ready within `wait` seconds, else None. Raises what `given` or `prepare` raised, in its turn."""
        with self._changed:
            self._changed.wait_for(lambda: self.over or self._next() is not None, wait)
            place = self._next()
            if place is None:
                return None
            future = self._pending.pop(place)
            self._changed.notify_all()  # it may have been the last
        self._room.release()
        return future.result()

    def _next(self) -> int | None:
        """The place of what is to be taken next. What failed waits until all before it were taken."""
        for place, future in enumerate(self._pending):
            if future.done() and (place == 0 or future.exception() is None):
                return place
        return None

    def _read(self) -> None:
        """Hand out work until there is no more, or nobody wants it."""
        try:
            for given in self._given:
                self._room.acquire()
                if self._closed:
                    return
                self._put(self._pool.submit(self._prepare, given))
        except BaseException as error:  # it is those who read the answers who must hear of it
            failed: Future[Ready] = Future()
            failed.set_exception(error)
            self._put(failed)
        finally:
            with self._changed:
                self._is_read = True
                self._changed.notify_all()

    def _put(self, future: Future[Ready]) -> None:
        with self._changed:
            self._pending.append(future)
        future.add_done_callback(self._tell)  # called at once if it is done already

    def _tell(self, _: Future[Ready]) -> None:
        with self._changed:
            self._changed.notify_all()
