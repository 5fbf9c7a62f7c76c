"""How far a run is, in one line at the end of a terminal; other lines are written above it."""

from __future__ import annotations

import os
import time

from llavacli.captioning.tally import Tally
from llavacli.streams import Notes

EVERY = 0.1  # seconds between two drawings
FULL, EMPTY, WIDTH = "█", "░", 20
NARROW = 70  # columns; with fewer, there may be no room for the bar besides what the figures say of a long run
CLEAR = "\r\x1b[2K"


class Bar:
    """The line, where stderr is a terminal that can do it; elsewhere nothing. `is_free` says that stdout is not it."""

    def __init__(self, tally: Tally, notes: Notes, *, is_free: bool) -> None:
        self._tally, self._notes = tally, notes
        self._is_shown = is_free and notes.is_terminal and not notes.quiet and os.environ.get("TERM") != "dumb"
        self._drawn_at: float | None = None

    def tick(self) -> None:
        """Draw it anew, if that is due; not over what others write while this process is in the background."""
        now = time.monotonic()
        if self._is_shown and (self._drawn_at is None or now - self._drawn_at >= EVERY) and _is_in_foreground():
            self._drawn_at = now
            self._notes.raw(CLEAR + self._line())

    def clear(self) -> None:
        """Take the line away, for others to be written; the next tick brings it back."""
        if self._drawn_at is not None:
            self._notes.raw(CLEAR)
            self._drawn_at = None

    def _line(self) -> str:
        """The line, no wider than the terminal; in a narrow one the figures alone, however many they are now."""
        columns = max(_columns() - 1, 0)
        if columns < NARROW:
            return self._tally.progress(columns)
        done = WIDTH * self._tally.ended // max(self._tally.total, 1)
        return f"{FULL * done}{EMPTY * (WIDTH - done)} {self._tally.progress(columns - WIDTH - 1)}"


def _columns() -> int:
    """The terminal's width: what the user says it is, else what stderr's terminal says."""
    told = os.environ.get("COLUMNS", "")
    if told.isascii() and told.isdigit() and int(told):
        return int(told)
    try:
        return os.get_terminal_size(2).columns or 80
    except OSError:
        return 80


def _is_in_foreground() -> bool:
    """Whether the terminal of stderr is this process's to write to, as a shell has it; where none says, it is."""
    try:
        return os.tcgetpgrp(2) == os.getpgrp()
    except (OSError, AttributeError):
        return True
