"""Words onto terminal lines, append-only: wrapped to a width that is asked for anew at every line, between margins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from llavacli.render.cells import cells, full_at, may_break, painted, visible

BOLD, DIM, ITALIC, UNDERLINE, STRIKE, CODE = "1", "2", "3", "4", "9", "36"
USUAL = 80  # columns of a terminal that does not say how many it has

Fragment = tuple[str, str]  # a text and its style


class Sink(Protocol):
    """Takes words as pieces of text in a style, and what parts them."""

    def add(self, text: str, style: str = "") -> None:
        """Go on with the word."""

    def space(self) -> None:
        """End the word; the line may break here."""

    def line_break(self) -> None:
        """End the word and the line."""


@dataclass(eq=False)
class Margin:
    """What stands at the left of a block's lines: a quote's bar, or an item's marker and then as much room."""

    text: str
    bar: bool = False
    marked: bool = False  # the marker has been written

    @property
    def pending(self) -> bool:
        """Whether the marker has still to be written."""
        return not self.bar and not self.marked


class Lines:
    """Lines of words. What has been written is never touched again; `taken` hands over what is new."""

    def __init__(self, width: Callable[[], int], *, color: bool) -> None:
        self._asked, self._color = width, color
        self.margins: list[Margin] = []
        self.gap = False  # a line is left empty before the next block
        self._out: list[str] = []
        self._written = False  # something, ever
        self._open = False  # the line has been begun
        self._words = False  # ... and holds more than its margin
        self._width = self._left = self._column = 0  # of the line: its cells, its margin's, those taken
        self._room = ""  # spaces of its margin, written with what follows them
        self._word: list[Fragment] = []
        self._size = 0  # cells of the word
        self._last = ""  # its last character
        self._spaced = False  # a space comes before it
        self._too_long = False  # it is wider than a line, and written as it comes

    def taken(self) -> str:
        """What is to be written since the last call."""
        text = "".join(self._out)
        self._out.clear()
        return text

    @property
    def column(self) -> int:
        """Cells taken on the line, its margin aside."""
        return self._column - self._left if self._open else 0

    @property
    def room(self) -> int:
        """Cells that a new line has beside its margin."""
        return max(self._ask() - sum(cells(text) for text, _ in self._margin(self._ask(), 0)), 1)

    def add(self, text: str, style: str = "") -> None:
        """Go on with the word; characters of Chinese and the like are words of their own."""
        text = visible(text)
        if not text:
            return
        before, start = self._last, 0
        self._last = text[-1]
        if not (text.isascii() and before.isascii()):
            for at, character in enumerate(text):
                if before and may_break(before, character):
                    self._go_on(text[start:at], style)
                    self._place()
                    start = at
                before = character
        self._go_on(text[start:], style)

    def part(self) -> None:
        """End the word where no space is; the line may break here."""
        self._place()

    def space(self) -> None:
        """End the word; the line may break here."""
        self._place()
        self._last = ""
        self._spaced = True

    def line_break(self) -> None:
        """End the word and its line, if there is one."""
        self._place()
        self._last = ""
        self._spaced = False
        if self._open:
            self._end()

    def block(self) -> None:
        """Begin a block: after an empty line, but for the bars of quotes that go on, if a gap is wanted."""
        self.line_break()
        if self.gap and self._written:
            self._write("".join(margin.text for margin in self.margins if margin.bar)[: self._ask()].rstrip(), DIM)
            self._end()
        self.gap = False

    def line(self, fragments: Sequence[Fragment]) -> None:
        """A line of its own that breaks wherever it is full. What could steer a terminal is no longer in it."""
        self.line_break()
        self._start(0)
        for text, style in fragments:
            start = 0
            while start < len(text):
                end = full_at(text, start, self._width - self._column)
                if self._words and self._column + cells(text[start:end]) > self._width:
                    self._end()
                    self._start(0)
                    continue
                self._write(text[start:end], style)
                self._words = True
                start = end
        self._end()

    def marker(self) -> None:
        """Write the marker of an item that holds nothing."""
        if any(margin.pending for margin in self.margins):
            self.line(())

    def _go_on(self, text: str, style: str) -> None:
        """Go on with the word; one that fills more than a line is written as it comes."""
        if not text:
            return
        self._size += cells(text)
        self._word.append((text, style))
        if self._too_long or self._size > (self._width if self._open else self._ask()):
            self._put()
            self._too_long = True

    def _place(self) -> None:
        """The word is whole."""
        if self._word:
            self._put()
        self._too_long, self._size = False, 0

    def _put(self) -> None:
        """Write the word on this line, or on the next."""
        if not self._too_long:
            if self._words and self._column + self._spaced + self._size > self._width:
                self._end()
            if not self._open:
                self._start(self._size)
            elif self._spaced:
                self._write(" ", "")
        for text, style in self._word:
            self._write(text, style)
        self._word.clear()
        self._words, self._spaced = True, False

    def _write(self, text: str, style: str) -> None:
        if not text:
            return
        self._out.append(self._room + (painted(text, style) if self._color else text))
        self._room = ""
        self._column += cells(text)

    def _start(self, size: int) -> None:
        """Begin a line for a word of `size` cells: ask for the width, write the margin and the markers due in it."""
        self._width, self._column = self._ask(), 0
        margin = self._margin(self._width, size)
        due = any(each.pending for each in self.margins)
        for each in self.margins:
            each.marked = True
        if due and sum(cells(text) for text, _ in margin) + size > self._width:
            self._write("".join(text for text, _ in margin).rstrip(), "")  # the word stands below its marker
            self._end()
            self._column = 0
            margin = self._margin(self._width, size)
        for text, style in margin:
            bare = text.rstrip()
            self._write(bare, style)
            self._room += text[len(bare) :]
            self._column += len(text) - len(bare)
        self._left, self._open, self._written = self._column, True, True

    def _end(self) -> None:
        self._out.append("\n")
        self._room = ""
        self._open = self._words = False

    def _margin(self, width: int, size: int) -> list[Fragment]:
        """A line's margin: at most half of it, and what the word leaves; the outermost go first, markers never."""
        texts = [each.text if each.bar or each.pending else " " * cells(each.text) for each in self.margins]
        excess = sum(map(cells, texts)) - min(width // 2, max(width - size, 0))
        kept = []
        for text, margin in zip(texts, self.margins, strict=True):
            if excess > 0 and not margin.pending:
                excess -= cells(text)
            else:
                kept.append((text, DIM if margin.bar else ""))
        return kept

    def _ask(self) -> int:
        width = self._asked()
        return width if width > 0 else USUAL
