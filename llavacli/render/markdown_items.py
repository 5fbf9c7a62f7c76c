"""Markers of list items: what they look like in Markdown, and on the terminal."""

from __future__ import annotations

import re
from dataclasses import dataclass

from llavacli.render.markdown_line import END
from llavacli.render.markdown_source import Source, Waiting

_BULLETS = "•◦▪"
_BOXES = {" ": "☐", "x": "☑", "X": "☑"}
_BOX = ("[", " xX", "]", " \t")
_DIGIT = re.compile(r"[0-9]")
_MOST_DIGITS = 9


@dataclass(frozen=True)
class Marker:
    """An item's marker in the source: `kind` is its bullet, or what follows its number."""

    kind: str
    number: int | None
    length: int


class Lists:
    """Numbers the items of lists that are open, or may yet go on."""

    def __init__(self) -> None:
        self._next: dict[int, tuple[str, int]] = {}  # by depth: the kind of list, the number that comes next

    def sign(self, depth: int, marker: Marker, box: str, bullets: int) -> str:
        """What an item inside `bullets` others shows; its own number counts if it is a list's first."""
        kind, number = self._next.get(depth, ("", 0))
        if kind != marker.kind:
            number = marker.number or 0
        self.forget(depth)
        self._next[depth] = (marker.kind, number + 1)
        if marker.number is None:
            return box or _BULLETS[bullets % len(_BULLETS)]
        return f"{number}{marker.kind} {box}".rstrip()

    def forget(self, depth: int) -> None:
        """Something else follows the lists at a depth, and what was in them."""
        self._next = {at: each for at, each in self._next.items() if at < depth}


def item_marker(source: Source, *, interrupting: bool) -> Waiting[Marker | None]:
    """The marker that comes next, not read yet; only a first item with words in it may interrupt a paragraph."""
    kind, number, length = (yield from source.peek()), None, 1
    if not kind or kind not in "-+*":
        digits = yield from source.run(_DIGIT, most=_MOST_DIGITS)
        source.unread(digits)
        kind = yield from source.peek(len(digits))
        if not digits or kind not in (".", ")"):
            return None
        number, length = int(digits), len(digits) + 1
    after = yield from source.peek(length)
    if after not in (*END, " ", "\t") or (interrupting and (after in END or number not in (None, 1))):
        return None
    return Marker(kind, number, length)


def task_box(source: Source) -> Waiting[str]:
    """The box of a task, drawn, if one comes next; it is not read yet."""
    for ahead, wanted in enumerate(_BOX):
        character = yield from source.peek(ahead)
        if not character or character not in wanted:
            return ""
    return _BOXES[(yield from source.peek(1))]
