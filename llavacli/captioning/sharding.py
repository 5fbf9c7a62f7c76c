"""`--shard I/N`: which pictures are this part's, the same on every machine and whatever else the folder holds."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass

from llavacli.failures import UsageError


@dataclass(frozen=True)
class Shard:
    """The `index`-th of `count` parts, counted from 1."""

    index: int
    count: int

    @property
    def is_first(self) -> bool:
        """Whether it is the one that others are put behind."""
        return self.index == 1

    @property
    def title(self) -> str:
        """How files call it."""
        return f"{self.index}-of-{self.count}"

    def has(self, within: str) -> bool:
        """Whether a picture belongs to it, by its path within the folder that was named."""
        digest = hashlib.sha256(os.fsencode(within)).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.index - 1


WHOLE = Shard(1, 1)


def parse(text: str | None) -> Shard:
    """`2/8` as a Shard; None is the whole."""
    if text is None:
        return WHOLE
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"--shard {text} is no part of a whole", hint="I/N with I from 1 to N, e.g. --shard 2/8")
    return Shard(int(match[1]), int(match[2]))
