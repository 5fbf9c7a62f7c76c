"""A paragraph's words as they come: those that cannot be markup at once, others as soon as their markup is certain."""

from __future__ import annotations

import re

from llavacli.render.cells import may_break
from llavacli.render.markdown_spans import Spans
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
        elif self._raw and self._watch.escaping:
            self._hold("\n")  # a backslash before a line's end breaks it
            self._release()
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


class Watch:
    """Follows delimiters as CommonMark pairs them, to know when all of them are closed."""

    def __init__(self) -> None:
        self._position = 0
        self._openers: dict[str, list[int]] = {"*": [], "_": [], "~": []}  # positions, one per delimiter character
        self._run = ""  # delimiters or backticks whose number is not known yet
        self._before = " "  # the character before the run
        self._last = " "
        self._code = 0  # backticks that opened a code span
        self._brackets = 0
        self._parentheses = 0  # of a link's address
        self._closed = False  # a bracket has just closed: an address may follow
        self.escaping = False

    def settled(self) -> bool:
        """Whether nothing is open, were a space to follow."""
        self._end_run(" ")
        open_ = self._code or self._brackets or self._parentheses
        return not open_ and not any(self._openers.values())

    def see(self, text: str) -> None:
        """Look at a plain run of characters, white space, or a single character."""
        for character in text if text[0] in _SPACES or len(text) == 1 else text[0]:
            self._look(character)
        self._last = text[-1]

    def _look(self, character: str) -> None:
        self._position += 1
        closed, self._closed = self._closed, False
        if self._run and character != self._run[0]:
            self._end_run(character)
        if self.escaping:
            self.escaping = False
        elif character == "`" or (character in self._openers and not self._code):
            if not self._run:
                self._before = self._last
            self._run += character
        elif not self._code:
            self._bracket(character, closed=closed)
        self._last = character

    def _bracket(self, character: str, *, closed: bool) -> None:
        if character == "\\":
            self.escaping = True
        elif self._parentheses:
            self._parentheses += {"(": 1, ")": -1}.get(character, 0)
        elif character == "[":
            self._brackets += 1
        elif character == "]" and self._brackets:
            self._brackets -= 1
            self._closed = True
        elif character == "(" and closed:
            self._parentheses = 1

    def _end_run(self, after: str) -> None:
        """The run's length is known: a code span opens or closes, or emphasis may."""
        run, self._run = self._run, ""
        if not run:
            return
        if run[0] == "`":
            if not self._code:
                self._code = len(run)
            elif self._code == len(run):
                self._code = 0
            return
        opens, closes = flanking(run[0], self._before, after)
        openers = self._openers[run[0]]
        left = len(run)
        while closes and left and openers:
            opened = openers.pop()
            left -= 1
            self._drop_after(opened)
        if opens:
            openers.extend([self._position] * left)

    def _drop_after(self, position: int) -> None:
        """Openers inside a closed pair open nothing any more."""
        for openers in self._openers.values():
            while openers and openers[-1] > position:
                openers.pop()


def flanking(mark: str, before: str, after: str) -> tuple[bool, bool]:
    """Whether a run of delimiters between two characters may open and close emphasis (CommonMark 6.2)."""
    left = not after.isspace() and (not _punctuation(after) or before.isspace() or _punctuation(before))
    right = not before.isspace() and (not _punctuation(before) or after.isspace() or _punctuation(after))
    if mark != "_":
        return left, right
    return left and (not right or _punctuation(before)), right and (not left or _punctuation(after))


def _punctuation(character: str) -> bool:
    return not (character.isalnum() or character.isspace())
