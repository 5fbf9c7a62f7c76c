"""SIGINT, SIGTERM, SIGHUP: the first ends the run or the answer under way, the second ends the process at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

PATIENCE_S = 1.5  # between a signal and the end of what does not heed it
STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP


class Interrupted(BaseException):
    """A signal came while no answer was under way; `BaseException`, so that no library takes it for its own."""


class Stopper:
    """What a signal does: raise `Interrupted`, or while an answer is under way, ask it to end at its next token."""

    def __init__(self) -> None:
        self.signum: int | None = None
        self.restore: Callable[[], None] = lambda: None  # done even when leaving at once: the terminal's modes, ...
        self._stop: Callable[[], None] | None = None
        self._is_urgent = False  # whether what `_stop` ends has only so much time

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
    def answering(self, stop: Callable[[], None], *, urgent: bool = False) -> Iterator[None]:
        """While the block runs, signals call `stop` instead of raising, or of what a block around it calls.

        What is `urgent` loses nothing by an end in the midst of it: if `stop` takes its time, the process does not, as
        long as the block runs.
        """
        self.check()
        before = self._stop, self._is_urgent
        self._stop, self._is_urgent = stop, urgent
        try:
            yield
        finally:
            self._stop, self._is_urgent = before
            if urgent:
                _set_alarm(0)

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
            self._leave(128 + signum)
        self.signum = signum
        if self._stop is not None:
            if self._is_urgent:
                self._leave_soon()
            self._stop()
            return
        if _is_importing(frame):
            self._leave(self.exit_code)  # there an exception may be swallowed, or leave a lock held for ever
        self._leave_soon()
        raise Interrupted

    def _leave_soon(self) -> None:
        """End the process in a while, should it still be there: a library may have swallowed the exception."""
        if hasattr(signal, "SIGALRM"):
            signal.signal(signal.SIGALRM, lambda *_: self._leave(self.exit_code))
            _set_alarm(PATIENCE_S)

    def _leave(self, code: int) -> None:
        """End the process at once, whatever comes of putting things in order."""
        try:
            self.restore()
        finally:
            leave_at_once(code)


def _set_alarm(seconds: float) -> None:
    """Have an alarm after so many seconds; 0: none. Windows has no alarms."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _is_importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported, by whatever its own code may be about."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def leave_at_once(code: int) -> NoReturn:
    """End the process without unwinding: no handlers, no destructors, no flushing (our own output is unbuffered)."""
    os._exit(code)
