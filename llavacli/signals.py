"""SIGINT, SIGTERM, SIGHUP: the first ends the run or the answer under way, the second ends the process at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP


class Interrupted(BaseException):
    """A signal came while no answer was under way; `BaseException`, so that no library takes it for its own."""


class Stopper:
    """What a signal does: raise `Interrupted`, or while an answer is under way, ask it to end at its next token."""

    def __init__(self) -> None:
        self.signum: int | None = None
        self.restore: Callable[[], None] = lambda: None  # done even when leaving at once: the terminal's modes, ...
        self._stop: Callable[[], None] | None = None

    @property
    def exit_code(self) -> int:
        """The shell's convention: 128 and the signal's number."""
        return 128 + (self.signum or 0)

    def install(self) -> None:
        """Take over the signals, except those ignored on purpose (`nohup`, a background job)."""
        for name in STOPPING:
            signum = getattr(signal, name, None)
            if signum is not None and signal.getsignal(signum) is not signal.SIG_IGN:
                signal.signal(signum, self._signalled)

    def check(self) -> None:
        """Raise `Interrupted` for a signal whose exception a library swallowed."""
        if self.signum is not None:
            raise Interrupted

    @contextmanager
    def answering(self, stop: Callable[[], None]) -> Iterator[None]:
        """While the block runs, signals call `stop` instead of raising, or of what a block around it calls."""
        self.check()
        before, self._stop = self._stop, stop
        try:
            yield
        finally:
            self._stop = before

    @contextmanager
    def interruptible(self, stop: Callable[[], None]) -> Iterator[None]:
        """The same for one answer of many: SIGINT is over with the block, and what comes after it goes on."""
        with self.answering(stop):
            try:
                yield
            finally:
                if self.signum == signal.SIGINT:
                    self.signum = None

    def finish(self) -> None:
        """From now on a signal raises nothing: all is done but leaving."""
        self._stop = lambda: None

    def _signalled(self, signum: int, frame: FrameType | None) -> None:
        """Handle a signal: see the class."""
        if self.signum is not None:
            self._leave(signum)
        self.signum = signum
        if self._stop is not None:
            self._stop()
            return
        if frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
            self._leave(signum)  # an exception there may be swallowed, or leave the lock on imports held for ever
        raise Interrupted

    def _leave(self, signum: int) -> None:
        """End the process at once, whatever comes of putting things in order."""
        try:
            self.restore()
        finally:
            leave_at_once(128 + signum)


def leave_at_once(code: int) -> NoReturn:
    """End the process without unwinding: no handlers, no destructors, no flushing (our own output is unbuffered)."""
    os._exit(code)
