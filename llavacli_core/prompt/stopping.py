"""Stop strings in a growing text: what is safe to show, and when to stop."""

from __future__ import annotations


class StopText:
    """Cuts a text, fed in pieces, before the stop string that is completed first.

    Of several completed by the same character the longest counts, so that the least is shown. Where the pieces are cut
    makes no difference.
    """

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = stops
        self._held = ""
        self._stopped = False

    def follow(self, shown: str) -> str:
        """Begin behind a text that was shown; the end of it that a stop string may begin with, which is told again."""
        self._held = shown
        length = self._beginning() if self._stops else 0
        self._held = shown[len(shown) - length :]
        if any(stop in self._held for stop in self._stops):  # not one of those that counted when it was shown
            self._held = ""
        return self._held

    def push(self, text: str) -> tuple[str, bool]:
        """The text that may be shown now, and whether a stop string is complete: it and what follows are dropped."""
        if not self._stops:
            return text, False
        if self._stopped:
            return "", True
        self._held += text
        found = [(at + len(stop), at) for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            _, cut = min(found)
            self._stopped = True
        else:
            cut = len(self._held) - self._beginning()
        shown, self._held = self._held[:cut], self._held[cut:]
        return shown, self._stopped

    def finish(self) -> str:
        """What was held back as the possible start of a stop string that never came."""
        return "" if self._stopped else self._held

    def _beginning(self) -> int:
        """How many of the last characters could be the start of a stop string."""
        longest = min(max(map(len, self._stops)) - 1, len(self._held))
        lengths = range(longest, 0, -1)
        return next((n for n in lengths if any(stop.startswith(self._held[-n:]) for stop in self._stops)), 0)
