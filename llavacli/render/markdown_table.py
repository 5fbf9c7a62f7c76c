"""A table laid out for the width there is: columns aligned, cells wrapped; where it is too narrow, cell by cell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from llavacli.render.cells import cells, full_at
from llavacli.render.markdown_spans import Spans, Words
from llavacli.render.wrapping import BOLD, DIM, Fragment

NARROWEST = 4  # cells of a column that is still worth reading
BETWEEN = " │ "

_DELIMITERS = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_BAR = re.compile(r"(?<!\\)\|")
_MARKUP = re.compile(r"[`*_~\[\]\\&!]")

Cell = list[list[Fragment]]  # words


def is_delimiter_row(line: str) -> bool:
    """Whether a line parts a table's header from its rows: `|---|:-:|`."""
    return "|" in line and _DELIMITERS.fullmatch(line) is not None


class Table:
    """Rows as they come. Without a header, which has then been printed as text, there are rows alone."""

    def __init__(self, header: str | None, delimiters: str, spans: Spans) -> None:
        self._spans = spans
        self.needs_bar = header is not None  # its rows begin with one, as its header does
        self._header = None if header is None else self._cells(header, BOLD)
        self._alignments = [_alignment(cell) for cell in _split(delimiters)]
        self._rows: list[list[Cell]] = []

    def add(self, line: str) -> None:
        """Take a row."""
        self._rows.append(self._cells(line, ""))

    def lines(self, room: int) -> Iterator[list[Fragment]]:
        """The whole table in lines of at most `room` cells."""
        rows = [*([] if self._header is None else [self._header]), *self._rows]
        columns = max(map(len, rows), default=0)
        natural = [max(_width(row[at]) for row in rows if at < len(row)) for at in range(columns)]
        widths = shared(natural, room - len(BETWEEN) * (columns - 1))
        if min(widths, default=0) < min(NARROWEST, min(natural, default=0)):
            yield from self._listed(room)
            return
        if self._header is not None:
            yield from self._laid_out(self._header, widths)
        yield [("─┼─".join("─" * width for width in widths), DIM)]
        for row in self._rows:
            yield from self._laid_out(row, widths)

    def _laid_out(self, row: Sequence[Cell], widths: Sequence[int]) -> Iterator[list[Fragment]]:
        """A row side by side."""
        filled = [*row, *([[]] * (len(widths) - len(row)))]
        wrapped = [wrap(cell, width) for cell, width in zip(filled, widths, strict=True)]
        for parts in zip_longest(*wrapped, fillvalue=()):
            line: list[Fragment] = []
            for at, (part, width) in enumerate(zip(parts, widths, strict=True)):
                left, right = self._padding(at, width - sum(cells(text) for text, _ in part))
                line += [(left, ""), *part, (right, ""), (BETWEEN, DIM)]
            yield line[:-2]  # nothing stands at the right of the last column

    def _listed(self, room: int) -> Iterator[list[Fragment]]:
        """Cell by cell, each after its column's name."""
        for row in self._rows or [[]]:
            for at, cell in enumerate(row or self._header or []):
                named = row and self._header is not None and at < len(self._header)
                yield from wrap([*(_named(self._header[at]) if named and self._header else []), *cell], room)
            yield [("─" * room, DIM)]

    def _padding(self, column: int, spare: int) -> tuple[str, str]:
        alignment = self._alignments[column] if column < len(self._alignments) else "left"
        left = {"left": 0, "right": spare, "center": spare // 2}[alignment]
        return " " * left, " " * (spare - left)

    def _cells(self, line: str, style: str) -> list[Cell]:
        return [self._words(cell, style) for cell in _split(line)]

    def _words(self, text: str, style: str) -> Cell:
        sink = Words()
        if _MARKUP.search(text):
            self._spans.write(text, sink, style)
        else:
            for word in text.split():
                sink.add(word, style)
                sink.space()
        return [word for word in sink.words if word]


def _named(cell: Cell) -> Cell:
    """A column's name before what stands in the column."""
    return [*cell[:-1], [*(cell[-1] if cell else []), (":", BOLD)]]


def _split(line: str) -> list[str]:
    """The cells of a row: what stands between bars that no backslash escapes."""
    line = line.strip(" \t").removeprefix("|")
    parts = _BAR.split(line)
    if len(parts) > 1 and not parts[-1].strip():
        parts.pop()
    return [part.replace("\\|", "|").strip() for part in parts]


def _alignment(cell: str) -> str:
    if cell.endswith(":"):
        return "center" if cell.startswith(":") else "right"
    return "left"


def _width(cell: Cell) -> int:
    """Cells of the terminal that a cell of the table takes in one line."""
    return sum(cells(text) for word in cell for text, _ in word) + max(len(cell) - 1, 0)


def shared(natural: Sequence[int], room: int) -> list[int]:
    """Widths of columns: their own where that is little, and equal parts of what is left for the others."""
    widths = list(natural)
    for done, at in enumerate(sorted(range(len(natural)), key=lambda at: natural[at])):
        widths[at] = min(natural[at], max(room, 0) // (len(natural) - done))
        room -= widths[at]
    return widths


def wrap(cell: Cell, width: int) -> list[list[Fragment]]:
    """A cell's words in lines of `width` cells; a word that is longer is cut."""
    lines: list[list[Fragment]] = [[]]
    column = 0
    for word in cell:
        size = sum(cells(text) for text, _ in word)
        if column and column + 1 + size > width:
            lines.append([])
            column = 0
        elif column:
            lines[-1].append((" ", ""))
            column += 1
        for text, style in word:
            start = 0
            while start < len(text):
                end = full_at(text, start, width - column)
                if column and column + cells(text[start:end]) > width:
                    lines.append([])
                    column = 0
                    continue
                lines[-1].append((text[start:end], style))
                column += cells(text[start:end])
                start = end
    return lines
