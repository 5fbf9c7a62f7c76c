"""Which of two ways of decoding makes more tokens a second, which depends on network, device and text.

It is found by the clock, and decides on speed alone: both ways choose the same tokens (in 16 bits, but for near ties).
"""

from __future__ import annotations

SOON, SELDOM = 2, 16  # steps from one trial of the slower way to the next: twice as many each time it stays the slower
FADING = 0.8  # what is left of a step's weight when the next one is measured, so that one trial tells how it is now


class Pace:
    """How fast steps with drafts are, and steps without: their mean rates, which one disturbed step spoils little."""

    def __init__(self) -> None:
        self._rates = {True: 0.0, False: 0.0}  # tokens a second, weighted and summed
        self._weights = {True: 0.0, False: 0.0}
        self._better: bool | None = None
        self._steps, self._interval = 0, SOON

    def drafts(self) -> bool:
        """Whether the next step should have some."""
        for way, weight in self._weights.items():
            if not weight:
                return way
        means = {way: self._rates[way] / weight for way, weight in self._weights.items()}
        better = means[True] > means[False]
        if better != self._better:
            self._better, self._steps, self._interval = better, 0, SOON
        self._steps += 1
        if self._steps < self._interval:
            return better
        self._steps, self._interval = 0, min(2 * self._interval, SELDOM)
        return not better

    def took(self, *, drafts: bool, tokens: int, seconds: float) -> None:
        """A step made so many tokens."""
        for way in (True, False):
            new = way == drafts
            self._rates[way] = self._rates[way] * FADING + new * tokens / seconds
            self._weights[way] = self._weights[way] * FADING + new
