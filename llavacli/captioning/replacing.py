"""Which rows of a file have taken the place of others: noted in a hidden file beside it until these are cleared away.

A run that is killed in between leaves both, and the next one, whatever it is asked for, knows which of them counts.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress

from llavacli.captioning.ledger import Ledger, hidden_beside, lines

LENGTH = 16  # bytes of a row's digest


class Replacements:
    """The hidden file, which there is only while it says something."""

    def __init__(self, path: str) -> None:
        self._path = hidden_beside(os.path.realpath(path), ".replaced")
        self._ledger: Ledger | None = None

    def note(self, row: bytes, instead_of: Sequence[bytes]) -> None:
        """A row is about to take the place of those with these digests. Raises OutputError."""
        if self._ledger is None:
            self._ledger = Ledger(self._path, lines)
            self._ledger.mend(keep=False)
        said = {"row": digest(row).hex(), "instead_of": [each.hex() for each in instead_of]}
        self._ledger.append(json.dumps(said).encode() + b"\n")

    def among(self, rows: Sequence[bytes]) -> set[int]:
        """The places of rows, known by their digests, that others among them have taken."""
        try:
            with open(self._path, "rb") as file:
                notes = lines(file.read())[0]
        except OSError:
            return set()
        places = defaultdict[bytes, list[int]](list)
        for place, row in enumerate(rows):
            places[row].append(place)
        replaced = set[int]()
        for line in notes:
            with suppress(ValueError, KeyError, TypeError, StopIteration):
                note = json.loads(line)
                new = max(places[bytes.fromhex(note["row"])])
                for old in (bytes.fromhex(each) for each in note["instead_of"]):
                    replaced.add(next(place for place in places[old] if place < new and place not in replaced))
        return replaced

    def clear(self) -> None:
        """All that was noted is cleared away."""
        self.close()
        with suppress(OSError):
            os.unlink(self._path)

    def close(self) -> None:
        """Let go of it."""
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None


def digest(row: bytes) -> bytes:
    """What a row is known by."""
    return hashlib.sha256(row).digest()[:LENGTH]
