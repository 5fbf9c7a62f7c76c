"""What comes out: pieces of text as they are made, and at the end everything known about the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llavacli_core.errors import CoreError

FinishReason = Literal["stop", "length", "interrupted"]


@dataclass(frozen=True)
class Text:
    """A piece of the answer; the pieces, joined, are `Done.text`."""

    text: str


@dataclass(frozen=True, kw_only=True)
class SeenImage:
    """A picture as it entered the prompt: its size in pixels, the tiles it was cut into, the tokens it took.

    `sha256` is of the picture without the marks drawn on it, each of which `marks` names by its canonical text.
    """

    source: str
    sha256: str
    width: int
    height: int
    tiles: int
    tokens: int
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SeenVideo:
    """A clip as it entered the prompt: its size in pixels, the numbers of the frames seen, the tokens they took."""

    source: str
    sha256: str
    width: int
    height: int
    frames: tuple[int, ...]
    tokens: int


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens: `cached_tokens` of the prompt were not computed again, `image_tokens` of it are pictures' and frames'."""

    prompt_tokens: int
    image_tokens: int
    cached_tokens: int
    completion_tokens: int


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Milliseconds of each stage; `total` is from the call to the last token."""

    prepare: float
    vision: float
    prefill: float
    decode: float
    total: float


@dataclass(frozen=True, kw_only=True)
class Done:
    """The last event: the whole answer and how it came about.

    `token_ids` are the new ids, a generated end-of-sequence id included; `prompt_text` has images not widened;
    `max_tokens` is the limit that held.
    """

    text: str
    token_ids: tuple[int, ...]
    finish_reason: FinishReason
    prompt_text: str
    images: tuple[SeenImage, ...]
    usage: Usage
    timing: Timing
    warnings: tuple[str, ...] = ()
    videos: tuple[SeenVideo, ...] = ()
    max_tokens: int = 256


@dataclass(frozen=True)
class Failed:
    """In a batch, the last event of a request that came to nothing; the others go on."""

    error: CoreError


Event = Text | Done
BatchEvent = Text | Done | Failed


@dataclass(frozen=True)
class Progress:
    """A download under way: bytes had, of bytes in all (0 while unknown)."""

    done: int
    total: int
