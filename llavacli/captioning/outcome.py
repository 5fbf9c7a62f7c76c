"""What came of an item, and where such things are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from llavacli.captioning.picture import Item
from llavacli.failures import Failure

State = Literal["missing", "done", "failed"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """An item's caption, or why there is none; `fingerprint` is of what made it, None where no model was asked."""

    item: Item
    record: Mapping[str, Any]
    failure: Failure | None
    fingerprint: str | None

    @property
    def text(self) -> str | None:
        """The caption."""
        text: str | None = self.record["text"]
        return text


class Sink(Protocol):
    """Where outcomes go."""

    def put(self, outcome: Outcome) -> None:
        """Take an outcome; when this returns, it is kept, or shown."""

    def close(self, *, finished: bool) -> None:
        """Let go; a run that has `finished` also clears away what its outcomes replaced."""


class Keeping(Sink, Protocol):
    """Where a later run finds them. An outcome takes the place of its item's earlier ones; a failure, no caption's."""

    def state(self, item: Item) -> State:
        """What an earlier run has left of an item."""

    def failed_with(self, item: Item) -> str | None:
        """The code of the error that an item's last try ended with, of one that has failed."""

    def is_stale(self, item: Item, fingerprint: str) -> bool:
        """Whether a caption that is there is known to be made by something else."""
