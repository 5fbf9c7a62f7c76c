"""Which of two ways of decoding makes more tokens a second, which depends on network, device and text.

It is found by the clock, and decides on speed alone: both ways choose the same tokens.
"""

from __future__ import annotations

AGAIN = 16  # every so many steps the slower way is tried once more
FADING = 0.9  # what is left of an older step's weight when the next of its way is measured


class Pace:
    """Tokens and seconds of steps with drafts and without."""

    def __init__(self) -> None:
        self._asked = 0
        self._measured = {True: (0.0, 0.0), False: (0.0, 0.0)}

    def drafts(self) -> bool:
        """Whether the next step should have some."""
        self._asked += 1
        with_them, without = (tokens / seconds if seconds else None for tokens, seconds in self._measured.values())
        if with_them is None or without is None:
            return with_them is None
        return (with_them > without) != (self._asked % AGAIN == 0)

    def took(self, *, drafts: bool, tokens: int, seconds: float) -> None:
        """A step made so many tokens."""
        before = self._measured[drafts]
        self._measured[drafts] = before[0] * FADING + tokens, before[1] * FADING + seconds
