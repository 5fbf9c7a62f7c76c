"""What made the captions of a folder, for outputs whose form has no room for it; and what failed there."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import Any

from llavacli.captioning.ledger import Ledger, lines
from llavacli.captioning.outcome import Outcome
from llavacli.render import record


class Journal:
    """A hidden file of lines. A caption is known by its words: one that was edited since is known of no one."""

    def __init__(self, path: str, others: tuple[str, ...] = ()) -> None:
        self._ledger = Ledger(path, lines)
        self._made_by: dict[tuple[str, str], str | None] = {}
        self._failed: dict[str, str] = {}  # why
        self._owners: dict[str, str] = {}
        for other in others:
            with suppress(OSError), open(other, "rb") as file:
                self._take_in(lines(file.read())[0])
        self._take_in(self._ledger.rows)
        self._ledger.mend(keep=False)
        self._ledger.rows = []

    def note(self, key: str, outcome: Outcome) -> None:
        """Keep what made a caption, or why there is none."""
        entry = {
            "file_name": key,
            "picture": outcome.item.picture.name,
            "sha256": None if outcome.text is None else _digest(outcome.text),
            "fingerprint": outcome.fingerprint,
            "error": outcome.failure and record.error(outcome.failure),
        }
        self._ledger.append(record.line(entry).encode())
        self._add(entry)

    def failed_with(self, key: str) -> str | None:
        """The code of the error that the last try at a picture ended with, if it did."""
        return self._failed.get(key)

    def owner(self, key: str) -> str | None:
        """The name of the picture that a caption is of; None if it is not known."""
        return self._owners.get(key)

    def fingerprint(self, key: str, text: str) -> str | None:
        """What made a caption; None if it is not known."""
        return self._made_by.get((key, _digest(text)))

    def close(self) -> None:
        """Let go of it."""
        self._ledger.close()

    def _take_in(self, rows: list[bytes]) -> None:
        for row in rows:
            with suppress(ValueError, KeyError, TypeError):
                self._add(json.loads(row))

    def _add(self, entry: dict[str, Any]) -> None:
        self._owners[entry["file_name"]] = entry["picture"]
        if entry["error"] is None:
            self._failed.pop(entry["file_name"], None)
            self._made_by[entry["file_name"], entry["sha256"]] = entry["fingerprint"]
        else:
            self._failed[entry["file_name"]] = entry["error"]["code"]


def _digest(text: str) -> str:
    """Of a caption's words, whatever blank stands around them."""
    return hashlib.sha256(text.strip().encode("utf-8", "surrogatepass")).hexdigest()
