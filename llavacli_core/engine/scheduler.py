"""Which answers run together. Counts, and never computes."""

from __future__ import annotations


class Scheduler:
    """Admits answers while there are rows and positions for them; every row takes as many as the longest needs."""

    def __init__(self, rows: int, positions: int) -> None:
        self.rows, self.positions = rows, positions
        self._running: dict[int, int] = {}

    @property
    def free(self) -> int:
        """Rows nobody has."""
        return self.rows - len(self._running)

    def admits(self, room: int) -> bool:
        """Whether an answer that may need `room` positions fits beside those that run; one alone always does."""
        if not self._running:
            return True
        longest = max(room, *self._running.values())
        return len(self._running) < self.rows and (len(self._running) + 1) * longest <= self.positions

    def admit(self, answer: int, room: int) -> None:
        """The answer runs from now on."""
        self._running[answer] = room

    def retire(self, answer: int) -> None:
        """The answer runs no longer, if it did."""
        self._running.pop(answer, None)
