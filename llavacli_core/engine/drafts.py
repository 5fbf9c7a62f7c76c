"""Drafts: how an answer may go on, guessed from how answers decoded with it went on behind the same last words.

Captions of one folder have much in common, and a step that reads a row's keys and values for one token reads them for
four as well. The network checks each guess, so that what is said is what it says without.
Saxena 2023 (prompt lookup) does so with the words of one prompt; here it is the answers of one run.
"""

from __future__ import annotations

from collections.abc import Sequence

LONGEST = 4  # ids that a guess is looked up by, if there are so many; else by fewer
GUESSES = 3  # ids at most
REMEMBERED = 2**16  # beginnings


class Drafts:
    """What followed the last ids of all answers so far."""

    def __init__(self) -> None:
        self._following: dict[tuple[int, ...], tuple[Sequence[int], int]] = {}  # an answer, and a place in it

    def of(self, ids: Sequence[int]) -> Sequence[int]:
        """What may follow these ids, which is nothing where they never stood before."""
        for length in range(min(LONGEST, len(ids)), 0, -1):
            found = self._following.get(tuple(ids[-length:]))
            if found is not None:
                answer, place = found
                return answer[place : place + GUESSES]
        return ()

    def learn(self, ids: Sequence[int], new: int) -> None:
        """Take in the last `new` ids of an answer, which may grow."""
        for place in range(max(1, len(ids) - new), len(ids)):
            for length in range(1, min(LONGEST, place) + 1):
                beginning = tuple(ids[place - length : place])
                self._following.pop(beginning, None)  # so that it is the youngest
                self._following[beginning] = ids, place
        while len(self._following) > REMEMBERED:
            del self._following[next(iter(self._following))]
