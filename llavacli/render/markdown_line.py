"""One line of Markdown while it is read: how far it is indented, and what comes next."""

from __future__ import annotations

import re

from llavacli.render.markdown_source import Source, Waiting

END = ("\n", "")  # what may follow the last character of a line
TAB = 4

_REST = re.compile(r"[^\n]+")
_WHITE = re.compile(r"[ \t]+")
_TAG = re.compile(r"[0-9A-Za-z-]")
_LONGEST_TAG = 30


class Line:
    """The line that is read, after what has been read of it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.begin()

    def begin(self) -> None:
        """A new line."""
        self.indent = 0  # columns of white space before what comes next
        self._column = 0
        self.no_rule = ""  # it is no rule made of this

    def white(self) -> Waiting[None]:
        """Read white space."""
        start = self._column
        for character in (yield from self.source.run(_WHITE)):
            self._column += TAB - self._column % TAB if character == "\t" else 1
        self.indent = self._column - start

    def skip(self, count: int) -> Waiting[None]:
        """Leave behind a marker that was peeked at, and read the white space after it."""
        self.source.skip(count)
        self._column += count
        yield from self.white()

    def ended(self) -> Waiting[bool]:
        """Whether nothing comes any more."""
        return (yield from self.source.peek()) in END

    def end(self) -> Waiting[None]:
        """Read the line's end."""
        self.source.skip(len((yield from self.source.peek())))

    def rest(self) -> Waiting[str]:
        """Read what is left, and the line's end; the indent is not in it."""
        text = yield from self.source.run(_REST)
        yield from self.end()
        return text

    def code(self, indent: int, start: str = "") -> Waiting[str]:
        """Read what is left as code in a block that is itself indented; `start` was read before."""
        spaces = " " * (self.indent - indent)
        return f"{spaces}{start}{yield from self.rest()}"


def begins_tag(source: Source) -> Waiting[bool]:
    """Whether the < that comes next begins an HTML tag, comment or declaration, and not, say, an address."""
    after = yield from source.peek(1)
    if after in ("!", "?"):
        return True
    start = 2 if after == "/" else 1
    if not (yield from source.peek(start)).isalpha():
        return False
    for ahead in range(start, start + _LONGEST_TAG):
        character = yield from source.peek(ahead)
        if not _TAG.fullmatch(character):
            return character in (*END, " ", "\t", "/", ">")
    return False
