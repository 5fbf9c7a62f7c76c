"""How far a run is, in one line at the end of a terminal; other lines are written above it."""

from __future__ import annotations

import os
import time

from llavacli.captioning.tally import Tally
from llavacli.streams import Notes

EVERY = 0.1  # seconds between two drawings
FULL, EMPTY, WIDTH = "█", "░", 20
CLEAR = "\r\x1b[2K"


class Bar:
    """The line, where stderr is a terminal that can do it; elsewhere nothing. `is_free` says that stdout is not it."""

    def __init__(self, tally: Tally, notes: Notes, *, is_free: bool) -> None:
        self._tally, self._notes = tally, notes
        self._is_shown = is_free and notes.is_terminal and not notes.quiet and os.environ.get("TERM") != "dumb"
        self._drawn_at: float | None = None

    def tick(self) -> None:
        """Draw it anew, if that is due."""
        now = time.monotonic()
        if self._is_shown and (self._drawn_at is None or now - self._drawn_at >= EVERY):
            self._drawn_at = now
            self._notes.raw(CLEAR + self._line())

    def clear(self) -> None:
        """Take the line away, for others to be written; the next tick brings it back."""
        if self._drawn_at is not None:
            self._notes.raw(CLEAR)
            self._drawn_at = None

    def _line(self) -> str:
        """The line, no wider than the terminal."""
        done = WIDTH * self._tally.ended // max(self._tally.total, 1)
        text = f"{FULL * done}{EMPTY * (WIDTH - done)} {self._tally.progress()}"
        try:
            columns = os.get_terminal_size(2).columns or 80
        except OSError:
            columns = 80
        return text[: columns - 1]
