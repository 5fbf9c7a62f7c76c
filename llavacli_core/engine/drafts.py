"""Drafts: how an answer may go on, guessed from how answers decoded with it went on behind the same last words.

Captions of one folder have much in common, and a step that reads a row's keys and values for one token reads them for
four as well. The network checks each guess, so that what is said is what it says without: in float32 always, in 16 bits
unless two words nearly tie.
Saxena 2023 (prompt lookup) copies from one prompt; here every answer of a run is counted.
"""

from __future__ import annotations

from collections.abc import Sequence

LONGEST = 4  # ids that the next is guessed by, if there are so many; else by fewer
GUESSES = 3  # ids at most
REMEMBERED = 2**16  # beginnings


class Followers:
    """How often each id followed the same beginning, and which did most often."""

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.best = -1

    def count(self, token_id: int) -> None:
        """Once more; of equals the youngest is best."""
        self.counts[token_id] = self.counts.get(token_id, 0) + 1
        if self.counts[token_id] >= self.counts.get(self.best, 0):
            self.best = token_id


class Drafts:
    """What followed the last ids of all answers so far."""

    def __init__(self) -> None:
        self._followers: dict[tuple[int, ...], Followers] = {}

    def of(self, ids: Sequence[int]) -> Sequence[int]:
        """What may follow these ids; the guess ends where an id never stood before."""
        guess = list[int]()
        last = tuple(ids[-LONGEST:])
        while len(guess) < GUESSES:
            known = (self._followers.get(last[-length:]) for length in range(len(last), 0, -1))
            followers = next(filter(None, known), None)
            if followers is None:
                break
            guess.append(followers.best)
            last = (*last, followers.best)[-LONGEST:]
        return guess

    def learn(self, ids: Sequence[int], new: int) -> None:
        """Take in the last `new` ids of an answer."""
        for place in range(max(1, len(ids) - new), len(ids)):
            for length in range(1, min(LONGEST, place) + 1):
                beginning = tuple(ids[place - length : place])
                followers = self._followers.pop(beginning, None) or Followers()
                followers.count(ids[place])
                self._followers[beginning] = followers  # the youngest now
        while len(self._followers) > REMEMBERED:
            del self._followers[next(iter(self._followers))]
