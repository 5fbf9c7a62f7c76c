"""Inline Markdown to words in styles, links with their addresses; without colour, the marks of emphasis are kept."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from llavacli.render.cells import visible
from llavacli.render.wrapping import BOLD, CODE, DIM, ITALIC, STRIKE, UNDERLINE, Fragment, Sink

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_MARKS = {"em": "*", "strong": "**", "s": "~~"}
_STYLES = {"em": ITALIC, "strong": BOLD, "s": STRIKE, "link": UNDERLINE}
_SPACES = re.compile(r"([ \t\n]+)")


class Spans:
    """Writes inline Markdown; the parser is made when it is first needed."""

    def __init__(self, *, color: bool) -> None:
        self.color = color

    @cached_property
    def _parser(self) -> MarkdownIt:
        """A CommonMark parser for what stands within lines; HTML and bare addresses are text to it."""
        from markdown_it import MarkdownIt

        parser = MarkdownIt("commonmark", {"html": False}).enable("strikethrough").disable(["autolink", "html_inline"])
        parser.validateLink = lambda url: True  # type: ignore[method-assign]  # addresses are shown, never followed
        parser.normalizeLink = lambda url: url  # type: ignore[method-assign]
        return parser

    def write(self, text: str, sink: Sink, style: str = "") -> None:
        """Hand a sink the words of inline Markdown, in their styles on top of `style`."""
        tokens: list[Token] = []
        self._parser.inline.parse(text, self._parser, {}, tokens)
        _Writer(sink, self.color, [style] if style else []).write(tokens)


@dataclass
class _Link:
    """An open link: where it leads, and its text so far."""

    address: str
    text: str = ""


@dataclass
class _Writer:
    """The styles that are open while tokens are written, and where open links lead."""

    sink: Sink
    color: bool
    styles: list[str]
    links: list[_Link] = field(default_factory=list)

    def write(self, tokens: Sequence[Token]) -> None:
        """Write tokens one by one."""
        for token in tokens:
            kind, _, end = token.type.rpartition("_")
            if end == "open":
                self._open(kind, token)
            elif end == "close":
                self._close(kind)
            elif token.type == "code_inline":
                self._code(token.content)
            elif token.type == "image":
                self._open("link", token)
                self.write(token.children or [])
                self._close("link")
            elif token.type == "hardbreak":
                self.sink.line_break()
            elif token.type == "softbreak":
                self.sink.space()
            else:
                self._words(token.content)

    def _open(self, kind: str, token: Token) -> None:
        if kind == "link":
            address, title = str(token.attrs.get("href", token.attrs.get("src", ""))), token.attrs.get("title")
            self.links.append(_Link(f'{address} "{title}"' if title else address))
        if not self.color:
            self.sink.add(_MARKS.get(kind, ""))
        self.styles.append(_STYLES[kind])

    def _close(self, kind: str) -> None:
        self.styles.pop()
        if not self.color:
            self.sink.add(_MARKS.get(kind, ""))
        if kind == "link":
            link = self.links.pop()
            if link.address and link.text != link.address:
                if link.text:
                    self.sink.space()
                self._words(f"({link.address})", DIM)

    def _code(self, text: str) -> None:
        if self.color:
            self._words(text, CODE)
            return
        marks = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
        room = " " if text.startswith("`") or text.endswith("`") else ""
        self._words(f"{marks}{room}{text}{room}{marks}")

    def _words(self, text: str, style: str = "") -> None:
        """Text with spaces in it. Of two and more in a row, which only code has, all but one begin the next word."""
        for link in self.links:
            link.text += text
        applied = ";".join([*self.styles, style] if style else self.styles)
        for part in _SPACES.split(text):
            spaces = part.isspace()
            if spaces:
                self.sink.space()
            if kept := part if not spaces else part[1:] if style == CODE else "":
                self.sink.add(kept, applied)


class Words:
    """A sink that keeps words, for blocks that are laid out as a whole."""

    def __init__(self) -> None:
        self.words: list[list[Fragment]] = [[]]

    def add(self, text: str, style: str = "") -> None:
        """Go on with the word."""
        if text:
            self.words[-1].append((visible(text), style))

    def space(self) -> None:
        """End the word."""
        if self.words[-1]:
            self.words.append([])

    def line_break(self) -> None:
        """End the word: a cell of a table has no lines of its own."""
        self.space()
