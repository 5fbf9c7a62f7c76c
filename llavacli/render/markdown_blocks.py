"""The blocks of Markdown, line by line, as far as they have come: CommonMark with GFM's tables and task lists."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from llavacli.render.markdown_items import Lists, Marker, item_marker, task_box
from llavacli.render.markdown_leaves import Leaves
from llavacli.render.markdown_line import Line
from llavacli.render.markdown_source import Source, Waiting
from llavacli.render.wrapping import Lines, Margin

DEEPEST = 32  # containers inside one another; beyond that, their markers are text


@dataclass
class Container:
    """A quote, or a list's item, whose lines are indented by `indent`."""

    margin: Margin
    indent: int = 0


class Blocks:
    """Reads blocks from a source, and writes each of them as it comes."""

    def __init__(self, source: Source, lines: Lines, *, color: bool) -> None:
        self._source, self._lines = source, lines
        self._line = Line(source)
        self._leaves = Leaves(self._line, lines, color=color)
        self._containers: list[Container] = []
        self._lists = Lists()

    def read(self) -> Waiting[None]:
        """Read all there is."""
        while (yield from self._source.peek()):
            self._line.begin()
            yield from self._line.white()
            yield from self._read_line((yield from self._matched()))
        self._close(0)

    def _read_line(self, depth: int) -> Waiting[None]:
        """Read a line that is inside as many of the open containers."""
        leaves, line = self._leaves, self._line
        inside = depth == len(self._containers)
        if (yield from line.ended()):
            yield from line.end()
            if not (inside and leaves.empty_line()):
                self._close(depth)
                self._lines.gap = True
            return
        if inside and (yield from leaves.continued()):
            return
        leaves.decide()
        while not (yield from line.ended()):
            begin = partial(self._begin_leaf, depth)
            interrupting = leaves.in_paragraph and depth == len(self._containers)
            if line.indent > 3:
                started = yield from leaves.indented(begin)
            else:
                started = yield from leaves.rule(begin, interrupting=interrupting)
                if not started and (yield from self._container(depth, interrupting=interrupting)):
                    depth += 1
                    continue
                started = started or (yield from leaves.started(begin, interrupting=interrupting))
            if not started:
                yield from leaves.text(begin)
            return
        yield from line.end()

    def _matched(self) -> Waiting[int]:
        """How many of the open containers the line is in."""
        for depth, container in enumerate(self._containers):
            if container.margin.bar:
                if self._line.indent > 3 or (yield from self._source.peek()) != ">":
                    return depth
                yield from self._quote_mark()
            elif not (yield from self._line.ended()):
                if self._line.indent < container.indent:
                    return depth
                self._line.indent -= container.indent
        return len(self._containers)

    def _quote_mark(self) -> Waiting[None]:
        """Read a > and the one column of white space that belongs to it."""
        yield from self._line.skip(1)
        self._line.indent = max(self._line.indent - 1, 0)

    def _close(self, depth: int) -> None:
        """Close the open leaf, and the containers below a depth."""
        self._leaves.close()
        while len(self._containers) > depth:
            self._lines.marker()
            self._lines.margins.pop()
            self._containers.pop()

    def _begin_leaf(self, depth: int) -> None:
        """Close what ends before a leaf, or a quote, that begins at a depth."""
        self._close(depth)
        self._lines.block()
        self._lists.forget(depth)

    def _container(self, depth: int, *, interrupting: bool) -> Waiting[bool]:
        """Whether a quote or an item begins here."""
        if depth >= DEEPEST:
            return False
        if (yield from self._source.peek()) == ">":
            self._begin_leaf(depth)
            yield from self._quote_mark()
            self._enter(Container(Margin("│ ", bar=True)))
            return True
        marker = yield from item_marker(self._source, interrupting=interrupting)
        if marker is not None:
            self._close(depth)
            self._lines.block()
            yield from self._item(depth, marker)
        return marker is not None

    def _item(self, depth: int, marker: Marker) -> Waiting[None]:
        """An item begins: its content is indented as far as its first words are."""
        line = self._line
        outer = line.indent + marker.length
        yield from line.skip(marker.length)
        content = 1 if line.indent > 4 or (yield from line.ended()) else line.indent
        line.indent = max(line.indent - content, 0)
        box = yield from task_box(self._source)
        if box:
            yield from line.skip(3)
            line.indent = 0
        bullets = sum(not container.margin.bar for container in self._containers)
        sign = self._lists.sign(depth, marker, box, bullets)
        self._enter(Container(Margin(f"{sign} "), outer + content))

    def _enter(self, container: Container) -> None:
        self._containers.append(container)
        self._lines.margins.append(container.margin)
