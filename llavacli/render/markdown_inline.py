"""A paragraph's words as they come: those that cannot be markup at once, others as soon as their markup is certain."""

from __future__ import annotations

import re

from llavacli.render.cells import may_break
from llavacli.render.markdown_spans import Spans
from llavacli.render.markdown_watch import Watch
from llavacli.render.wrapping import Lines

LONGEST = 1000  # characters held back for markup that does not close; after that it is taken literally

_PLAIN = re.compile(r"[0-9A-Za-z.,;:?/=+%'\"{}#@$^|<>-]+")  # never markup within a line, and no place for a break
_MARKUP = frozenset("`*_~[]\\&!")
_SPACES = frozenset(" \t\n")


class Inline:
    """Writes the words of one block after the other. Line ends are told by `line_end`, never fed."""

    def __init__(self, lines: Lines, spans: Spans) -> None:
        self._lines, self._spans = lines, spans
        self.style = ""  # of all words
        self._spaces = ""  # white space that was fed, and not passed on
        self._begin()

    def _begin(self) -> None:
        """Nothing is held back."""
        self._raw: list[str] = []
        self._size = 0
        self._marked = False  # what is held holds a character of markup
        self._watch = Watch()

    def feed(self, text: str) -> None:
        """Take a part of a line."""
        at = 0
        while at < len(text):
            plain = _PLAIN.match(text, at)
            piece = plain[0] if plain else text[at]
            if piece in _SPACES:
                self._space(piece)
            else:
                self._piece(piece)
            at += len(piece)

    def line_end(self) -> None:
        """The line is over; the next may go on with the paragraph."""
        if self._spaces.endswith("  "):
            self._spaces = "  \n"
        else:
            self._spaces = "\n"
        if self._raw and self._settled():
            self._release()
            self._lines.space()

    def finish(self) -> None:
        """The paragraph is over: what did not turn out to be markup is text."""
        self._release()
        self._spaces = self.style = ""

    def _space(self, space: str) -> None:
        if self._raw and (self._settled() or self._size >= LONGEST):
            self._release()
            self._lines.space()
        if len(self._spaces) < LONGEST:  # where it matters, two of them say all
            self._spaces += space

    def _piece(self, piece: str) -> None:
        """Go on with a word: a plain run of characters, or a single one."""
        if self._spaces:
            self._between()
        elif self._raw and self._may_cut(piece[0]):
            self._release()
            self._lines.part()
        while self._size + len(piece) > LONGEST:
            head, piece = piece[: LONGEST - self._size], piece[LONGEST - self._size :]
            self._hold(head)
            self._release()
        self._hold(piece)

    def _between(self) -> None:
        """Pass on the space between two words: as text where words are held back."""
        spaces, self._spaces = self._spaces, ""
        if self._raw:
            self._hold(spaces)
        elif spaces == "  \n":
            self._lines.line_break()
        else:
            self._lines.space()

    def _hold(self, text: str) -> None:
        if not text:
            return
        self._raw.append(text)
        self._size += len(text)
        self._marked = self._marked or text[0] in _MARKUP or "\n" in text
        self._watch.see(text)

    def _may_cut(self, after: str) -> bool:
        """Whether words are parted before this character though no space does it."""
        before = self._raw[-1][-1]
        if before in _MARKUP or after in _MARKUP or (before.isascii() and after.isascii()):
            return False
        return may_break(before, after) and self._settled()

    def _settled(self) -> bool:
        """Whether no markup in what is held may still be open."""
        return not self._marked or self._watch.settled()

    def _release(self) -> None:
        """Write what is held, read as Markdown."""
        text = "".join(self._raw)
        if self._marked:
            self._spans.write(text, self._lines, self.style)
        elif text:
            self._lines.add(text, self.style)
        self._begin()
