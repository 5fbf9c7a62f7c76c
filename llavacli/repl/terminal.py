"""The terminal for as long as the chat has it: keys typed ahead wait unseen, and it is left as it was found."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from llavacli.signals import Stopper

try:
    import termios
except ImportError:  # Windows: its console echoes nothing that nobody reads
    termios = None  # type: ignore[assignment]


@contextmanager
def quiet_keys(stopper: Stopper, *, by_line: bool, before_stop: Callable[[], None] = lambda: None) -> Iterator[None]:
    """While the block runs, keys are not echoed but kept for the next prompt; afterwards all is as it was.

    `by_line` leaves it to the terminal to edit a line. Ctrl-C and Ctrl-Z still work; `before_stop` is called before
    Ctrl-Z stops the process, which then finds the terminal as its shell had it, and so again at `fg`.
    """
    fd = None if sys.__stdin__ is None else sys.__stdin__.fileno()
    if termios is None or fd is None or not os.isatty(fd):
        yield
        return
    found = termios.tcgetattr(fd)
    modes = _quiet(found, by_line=by_line)
    previous = signal.getsignal(signal.SIGTSTP)

    def leave() -> None:
        with suppress(termios.error, OSError):  # the terminal is gone
            termios.tcsetattr(fd, termios.TCSANOW, found)

    def suspend(_signum: int, _frame: FrameType | None) -> None:
        now = termios.tcgetattr(fd)
        before_stop()
        leave()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)  # it stops here, and goes on here
        signal.signal(signal.SIGTSTP, suspend)
        termios.tcsetattr(fd, termios.TCSANOW, now)

    termios.tcsetattr(fd, termios.TCSANOW, modes)
    stopper.restore = leave
    if previous is not signal.SIG_IGN:
        signal.signal(signal.SIGTSTP, suspend)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, previous)
        leave()
        stopper.restore = lambda: None


@contextmanager
def echo() -> Iterator[None]:
    """Within `quiet_keys`, show keys again while the block runs."""
    fd = None if sys.__stdin__ is None else sys.__stdin__.fileno()
    if termios is None or fd is None or not os.isatty(fd):
        yield
        return
    before = termios.tcgetattr(fd)
    modes = _copied(before)
    modes[3] |= termios.ECHO
    termios.tcsetattr(fd, termios.TCSANOW, modes)
    try:
        yield
    finally:
        with suppress(termios.error, OSError):
            termios.tcsetattr(fd, termios.TCSANOW, before)


def columns() -> int:
    """The terminal's width; at least one column."""
    return max(1, shutil.get_terminal_size().columns)


def _quiet(found: list[Any], *, by_line: bool) -> list[Any]:
    """The modes without echo; unless `by_line`, each key counts and Enter stays told from Ctrl-J."""
    modes = _copied(found)
    modes[3] &= ~(termios.ECHO | termios.ECHONL)
    modes[6][termios.VQUIT] = b"\0"  # Ctrl-\ would leave the terminal as it is now
    if not by_line:
        modes[0] &= ~termios.ICRNL
        modes[3] &= ~(termios.ICANON | termios.IEXTEN)
        modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0
    return modes


def _copied(modes: list[Any]) -> list[Any]:
    """A copy that may be changed: the last entry is a list of its own."""
    return [*modes[:-1], list(modes[-1])]
