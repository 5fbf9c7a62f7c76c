"""Blocks that hold no blocks: how their lines begin, go on and end.

What is decided late is printed early all the same: a setext heading is a paragraph that gets a line below it, and the
rows of a table whose header does not begin with a bar are printed below that header.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from llavacli.render.cells import visible
from llavacli.render.markdown_code import Code
from llavacli.render.markdown_inline import Inline
from llavacli.render.markdown_line import END, Line, begins_tag
from llavacli.render.markdown_source import Waiting
from llavacli.render.markdown_spans import Spans
from llavacli.render.markdown_table import Table, is_delimiter_row
from llavacli.render.wrapping import BOLD, DIM, Lines

HEADINGS = {1: f"{BOLD};35", 2: f"{BOLD};34"}  # styles by level; BOLD for the others

_TEXT = re.compile(r"[^\n]+")
_DELIMITERS = re.compile(r"[|: \t-]+")
_MARKS = {mark: re.compile(rf"[{mark}]+") for mark in "#`~="}
_RULES = {mark: re.compile(rf"[{mark} \t]+") for mark in "-*_"}
_INFO = {"`": re.compile(r"[^`\n]+"), "~": _TEXT}

Begin = Callable[[], None]  # closes what ends before a block


@dataclass
class Paragraph:
    """Words that are printed as they come."""

    barred: bool = False  # its last line has a bar in it, and may be a table's header


@dataclass
class Row:
    """A line that begins with a bar: the header of a table, should the next line say so."""

    text: str
    continuing: bool  # it may as well go on with a paragraph


@dataclass
class Fence:
    """Code between fences of at least `length` marks."""

    mark: str
    length: int
    indent: int
    code: Code


@dataclass
class Indented:
    """Code by its indent; empty lines wait for more of it."""

    code: Code
    blanks: int = 0


class Html:
    """Tags, shown as they are up to the next empty line."""


class Leaves:
    """The leaf that is open, if any, and the ways in which a line may begin another."""

    def __init__(self, line: Line, lines: Lines, *, color: bool) -> None:
        self._line, self._source = line, line.source
        self._lines, self._color = lines, color
        self._spans = Spans(color=color)
        self._inline = Inline(lines, self._spans)
        self._leaf: Paragraph | Row | Fence | Indented | Html | Table | None = None

    @property
    def in_paragraph(self) -> bool:
        """Whether a paragraph is open."""
        return isinstance(self._leaf, Paragraph)

    def close(self) -> None:
        """End the open leaf."""
        self.decide()
        leaf, self._leaf = self._leaf, None
        if isinstance(leaf, Paragraph):
            self._inline.finish()
            self._lines.line_break()
        elif isinstance(leaf, Fence):
            self._lines.line([(leaf.mark * leaf.length, DIM)])
        elif isinstance(leaf, Table):
            for line in leaf.lines(self._lines.room):
                self._lines.line(line)

    def empty_line(self) -> bool:
        """Whether an empty line belongs to the open leaf."""
        if isinstance(self._leaf, Fence):
            self._lines.line(self._leaf.code.line(" " * (self._line.indent - self._leaf.indent)))
        elif isinstance(self._leaf, Indented):
            self._leaf.blanks += 1
            self._lines.gap = True
        return isinstance(self._leaf, Fence | Indented)

    def continued(self) -> Waiting[bool]:
        """Whether the line went on with the open leaf; a paragraph lets other blocks try first."""
        leaf, line = self._leaf, self._line
        if isinstance(leaf, Fence):
            yield from self._code_line(leaf)
        elif isinstance(leaf, Html):
            self._as_it_is((yield from line.code(0)))
        elif isinstance(leaf, Indented) and line.indent > 3:
            for _ in range(leaf.blanks):
                self._lines.line(())
            leaf.blanks, self._lines.gap = 0, False
            self._indented_line(leaf, (yield from line.code(4)))
        elif isinstance(leaf, Table):
            return (yield from self._table_row(leaf))
        elif isinstance(leaf, Row) or (isinstance(leaf, Paragraph) and leaf.barred):
            return (yield from self._delimiter_row(leaf))
        else:
            return False
        return True

    def decide(self) -> None:
        """A line that might have been a table's header is text."""
        if isinstance(self._leaf, Row):
            text, self._leaf = self._leaf.text, Paragraph()
            self._inline.feed(text)
            self._inline.line_end()

    def rule(self, begin: Begin, *, interrupting: bool) -> Waiting[bool]:
        """Whether the line is a rule, or what makes the paragraph before it a heading."""
        mark = yield from self._source.peek()
        if mark == "=" and interrupting:
            pattern = _MARKS[mark]
        elif mark in _RULES and mark != self._line.no_rule:
            pattern = _RULES[mark]
        else:
            return False
        marks = yield from self._source.run(pattern)
        bare = marks.rstrip(" \t")
        heading = interrupting and mark in "-=" and bare == mark * len(bare)
        if not (yield from self._line.ended()) or not (heading or marks.count(mark) >= 3):
            self._source.unread(marks)
            self._line.no_rule = mark
            return False
        yield from self._line.end()
        if heading:
            self._underline("═" if mark == "=" else "─")
        else:
            begin()
            self._lines.line([("─" * self._lines.room, DIM)])
        return True

    def indented(self, begin: Begin) -> Waiting[bool]:
        """Whether an indented line begins a block of code."""
        if self.in_paragraph:
            return False
        begin()
        leaf = Indented(Code("", color=self._color))
        self._indented_line(leaf, (yield from self._line.code(4)))
        self._leaf = leaf
        return True

    def started(self, begin: Begin, *, interrupting: bool) -> Waiting[bool]:
        """Whether the line begins a heading, a fence, a table or HTML, which it then is."""
        mark = yield from self._source.peek()
        if mark == "#":
            return (yield from self._heading(begin))
        if mark in _INFO:
            return (yield from self._fence(mark, begin))
        if mark == "|" and (interrupting or not self.in_paragraph):
            text = yield from self._line.rest()
            if not interrupting:
                begin()
            self._leaf = Row(text, interrupting)
            return True
        if mark == "<" and not self.in_paragraph and (yield from begins_tag(self._source)):
            begin()
            self._as_it_is((yield from self._line.code(0)))
            self._leaf = Html()
            return True
        return False

    def text(self, begin: Begin) -> Waiting[None]:
        """The line is text: of the open paragraph, or of a new one."""
        if not self.in_paragraph:
            begin()
        self._leaf = leaf = Paragraph()
        while piece := (yield from self._source.some(_TEXT)):
            self._inline.feed(piece)
            leaf.barred = leaf.barred or "|" in piece
        yield from self._line.end()
        self._inline.line_end()

    def _code_line(self, fence: Fence) -> Waiting[None]:
        """A line between fences, or the fence that ends them."""
        marks = ""
        if self._line.indent <= 3 and (yield from self._source.peek()) == fence.mark:
            marks = yield from self._source.run(_MARKS[fence.mark])
        text = yield from self._line.code(fence.indent, marks)
        if len(marks) >= fence.length and text.strip(" \t") == marks:
            self.close()
        else:
            self._lines.line(fence.code.line(text))

    def _indented_line(self, leaf: Indented, text: str) -> None:
        self._lines.line([("    ", ""), *leaf.code.line(text)])

    def _as_it_is(self, text: str) -> None:
        self._lines.line([(visible(text.expandtabs(4)), "")])

    def _table_row(self, table: Table) -> Waiting[bool]:
        mark = yield from self._source.peek()
        if mark != "|" and (table.needs_bar or mark in ">#`~-*+"):
            return False
        text = yield from self._source.run(_TEXT)
        if "|" not in text:
            self._source.unread(text)
            return False
        yield from self._line.end()
        table.add(text)
        return True

    def _delimiter_row(self, leaf: Row | Paragraph) -> Waiting[bool]:
        """Whether the line makes the one before it a table's header."""
        if self._line.indent > 3 or (yield from self._source.peek()) not in ("|", ":", "-"):
            return False
        text = yield from self._source.run(_DELIMITERS)
        if not (yield from self._line.ended()) or not is_delimiter_row(text):
            self._source.unread(text)
            return False
        yield from self._line.end()
        header = leaf.text if isinstance(leaf, Row) else None
        if isinstance(leaf, Row):
            self._leaf = Paragraph() if leaf.continuing else None
        self.close()
        self._leaf = Table(header, text, self._spans)
        return True

    def _underline(self, mark: str) -> None:
        self._inline.finish()
        self._lines.space()
        width = self._lines.column
        self._leaf = None
        self._lines.line([(mark * min(width, self._lines.room), BOLD)])

    def _heading(self, begin: Begin) -> Waiting[bool]:
        marks = yield from self._source.run(_MARKS["#"])
        if len(marks) > 6 or (yield from self._source.peek()) not in (*END, " ", "\t"):
            self._source.unread(marks)
            return False
        text = _heading_text((yield from self._line.rest()))
        begin()
        self._inline.style = HEADINGS.get(len(marks), BOLD)
        if not self._color:
            self._lines.add(marks)
            self._lines.space()
        self._inline.feed(text)
        self._inline.finish()
        self._lines.line_break()
        return True

    def _fence(self, mark: str, begin: Begin) -> Waiting[bool]:
        marks = yield from self._source.run(_MARKS[mark])
        info = (yield from self._source.run(_INFO[mark])) if len(marks) >= 3 else ""
        if len(marks) < 3 or not (yield from self._line.ended()):
            self._source.unread(marks + info)
            return False
        yield from self._line.end()
        begin()
        self._leaf = Fence(mark, len(marks), self._line.indent, Code(info, color=self._color))
        self._lines.line([(visible(marks + info.strip()), DIM)])
        return True


def _heading_text(line: str) -> str:
    """A heading without the run of # that may close it."""
    line = line.strip(" \t")
    bare = line.rstrip("#")
    return bare.rstrip(" \t") if not bare or bare[-1] in " \t" else line
