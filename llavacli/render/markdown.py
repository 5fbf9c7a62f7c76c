"""Markdown for a terminal, as it streams: append-only, so what has been printed is never touched again."""

from __future__ import annotations

from collections.abc import Callable, Generator

from llavacli.render.markdown_blocks import Blocks
from llavacli.render.markdown_source import Source
from llavacli.render.wrapping import Lines


class MarkdownStream:
    """Turns the pieces of an answer into terminal text. How the answer was split changes nothing.

    Words come as soon as it is certain that they are not, or which, markup; `width` is asked for anew at every line.
    Nothing of the answer can steer the terminal, and no escape sequence but SGR is written, none without `color`.
    """

    def __init__(self, width: Callable[[], int], *, color: bool) -> None:
        self._source = Source()
        self._lines = Lines(width, color=color)
        self._reading: Generator[None, None, None] = Blocks(self._source, self._lines, color=color).read()

    def push(self, text: str) -> str:
        """What may be printed now that more of the answer is there."""
        self._source.push(text)
        next(self._reading, None)
        return self._lines.taken()

    def finish(self) -> str:
        """What was held back, and the end of the line."""
        self._source.end()
        next(self._reading, None)
        return self._lines.taken()
