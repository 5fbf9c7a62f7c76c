"""A picture (or clip) to be captioned, and one question about it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from llavacli.sources import STDIN, Source, is_url, url_path


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture as it was found: `path` as it was named, `within` its path from the folder that was named."""

    path: str
    within: str
    is_clip: bool = False
    content: bytes | None = None  # of stdin
    error: Exception | None = None  # what is known to be wrong with it

    @property
    def is_file(self) -> bool:
        """Whether it has a place in a folder."""
        return self.path != STDIN and not is_url(self.path)

    @property
    def source(self) -> Source:
        """What the core is to open."""
        return Source(self.path, self.path if self.content is None else self.content, self.is_clip)

    @property
    def name(self) -> str:
        """Its file's name."""
        return os.path.basename(url_path(self.path) if is_url(self.path) else self.path)

    @property
    def folder(self) -> str:
        """The folder it is in."""
        return os.path.dirname(self.path) or "."


@dataclass(frozen=True)
class Item:
    """A picture and what is asked of it; `prompt` is None for what suits it. With `one_of_several`, others are too."""

    picture: Picture
    prompt: str | None
    one_of_several: bool = False
