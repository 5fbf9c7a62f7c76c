"""What goes in: messages made of text, pictures and videos, in order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

from llavacli_core.errors import BadOption
from llavacli_core.marks import Mark

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Image:
    """A picture: a path, an http(s) URL, the bytes of a file, or an open PIL image.

    `max_tiles` caps the tiles that AnyRes may cut it into, the overview included. `marks` are drawn on the upright
    picture before anything else is done with it.
    """

    source: str | PathLike[str] | bytes | Picture
    max_tiles: int | None = None
    marks: Sequence[Mark] = ()

    def __post_init__(self) -> None:
        if self.max_tiles is not None and self.max_tiles < 1:
            raise BadOption(f"max_tiles must be at least 1, not {self.max_tiles}", hint="1 is the whole picture alone")
        if isinstance(self.marks, str) or not all(isinstance(mark, Mark) for mark in self.marks):
            raise BadOption(
                "a picture's marks are a sequence of Mark", hint='e.g. marks=[Mark.parse("box:10,10,60,60")]'
            )
        object.__setattr__(self, "marks", tuple(self.marks))


@dataclass(frozen=True)
class Video:
    """A clip: a path, the bytes of a file, or frames [F, H, W, 3].

    `frames` says how many are seen, or `fps` how many of each second; by default, the family's own number.
    """

    source: str | PathLike[str] | bytes | Any
    frames: int | None = None
    fps: float | None = None

    def __post_init__(self) -> None:
        if self.frames is not None and self.fps is not None:
            raise BadOption("frames and fps exclude each other", hint="give one of them")
        if self.frames is not None and (type(self.frames) is not int or self.frames < 1):
            raise BadOption(f"frames must be at least 1, not {self.frames!r}", option="frames")
        numeric = isinstance(self.fps, (int, float)) and not isinstance(self.fps, bool)
        if self.fps is not None and not (numeric and 0 < self.fps < math.inf):  # NaN is not, either
            raise BadOption(f"fps must be above 0, not {self.fps!r}", option="fps")


Part = str | Image | Video


@dataclass(frozen=True)
class Message:
    """One turn. `parts` may be given as a single string or part, or as a sequence of them."""

    role: Role
    parts: tuple[Part, ...]

    def __init__(self, role: Role, parts: Part | Sequence[Part]) -> None:
        if role not in ("system", "user", "assistant"):
            raise BadOption(f"a message's role is system, user or assistant, not {role!r}")
        if not isinstance(parts, (str, Image, Video, Sequence)):
            raise BadOption(f"a message's parts are a sequence, not {type(parts).__name__}")
        listed = (parts,) if isinstance(parts, (str, Image, Video)) else tuple(parts)
        for part in listed:
            if not isinstance(part, (str, Image, Video)):
                raise BadOption(f"a message holds strings, Image and Video, not {type(part).__name__}")
        object.__setattr__(self, "role", role)
        object.__setattr__(self, "parts", listed)

    @property
    def text(self) -> str:
        """The message's words alone, joined."""
        return "".join(part for part in self.parts if isinstance(part, str))

    @property
    def images(self) -> tuple[Image, ...]:
        """The message's pictures alone, in order."""
        return tuple(part for part in self.parts if isinstance(part, Image))

    @property
    def videos(self) -> tuple[Video, ...]:
        """The message's clips alone, in order."""
        return tuple(part for part in self.parts if isinstance(part, Video))


def listed(messages: Sequence[Message]) -> list[Message]:
    """The messages of a conversation, checked; BadOption for none, or for what is no message."""
    if isinstance(messages, (str, Message)) or not isinstance(messages, Iterable):
        raise BadOption("a conversation is a list of messages", hint='[core.Message("user", "...")]')
    checked = list(messages)
    for message in checked:
        if not isinstance(message, Message):
            raise BadOption(f"a conversation holds messages, not {type(message).__name__}", hint="core.Message")
    if not checked:
        raise BadOption("there is no message to answer", hint="give at least one")
    return checked
