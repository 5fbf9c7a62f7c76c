"""Kept conversations in a list: a table on a terminal, lines of fields between tabs in a pipe, records."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from llavacli.render.record import line
from llavacli.render.text import escaped
from llavacli.sessions.rows import stamp

if TYPE_CHECKING:
    from llavacli.sessions.records import Hit, Summary
    from llavacli.streams import Output

LISTED, FOUND = "llavacli.sessions/1", "llavacli.search/1"  # schemas
WIDE = 100  # columns, from which there is room for the model's name
NARROWEST = 20  # columns for the last field, however narrow the terminal


def list_summaries(summaries: Sequence[Summary], output: Output, *, json: bool) -> None:
    """Write conversations: id, time, number of turns, model, title."""
    if json:
        for each in summaries:
            values = {**asdict(each), "created": stamp(each.created), "updated": stamp(each.updated)}
            output.write(line({"schema": LISTED, **values}))
    elif not output.is_terminal:
        for each in summaries:
            _fields(output, each.id, stamp(each.updated), str(each.turns), each.model, each.title)
    elif summaries:
        rows = [("ID", "LAST", "TURNS", "MODEL", "TITLE")]
        for each in summaries:
            last, model = f"{each.updated.astimezone():%Y-%m-%d %H:%M}", each.model.rstrip("/").rpartition("/")[2]
            rows.append((each.id, last, str(each.turns), model, each.title))
        is_wide = shutil.get_terminal_size().columns >= WIDE
        _table(rows if is_wide else [(*row[:3], row[4]) for row in rows], output)


def list_hits(hits: Sequence[Hit], output: Output, *, json: bool) -> None:
    """Write what a search found: id, position of the turn, whose it is, the words around."""
    if json:
        for hit in hits:
            output.write(line({"schema": FOUND, **asdict(hit), "created": stamp(hit.created)}))
    elif not output.is_terminal:
        for hit in hits:
            _fields(output, hit.id, str(hit.position), hit.role, hit.excerpt)
    elif hits:
        rows = [(hit.id, str(hit.position), hit.role, hit.excerpt) for hit in hits]
        _table([("ID", "TURN", "WHO", "WORDS"), *rows], output)


def _fields(output: Output, *values: str) -> None:
    """One line; a tab or a new line within a field becomes a blank."""
    output.write("\t".join(value.translate({9: " ", 10: " ", 13: " "}) for value in values) + "\n")


def _table(rows: Sequence[Sequence[str]], output: Output) -> None:
    """Columns under a heading, the last one cut at the terminal's edge."""
    from rich.cells import cell_len, set_cell_size

    safe = [[escaped(value, lines=False) for value in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*safe, strict=True)]
    room = shutil.get_terminal_size().columns - sum(widths[:-1]) - 2 * len(widths[:-1])
    for number, row in enumerate(safe):
        cells = [set_cell_size(value, width) for value, width in zip(row, widths[:-1], strict=False)]
        text = "  ".join([*cells, _shortened(row[-1], max(room, NARROWEST))])
        output.write(f"\x1b[1m{text}\x1b[0m\n" if number == 0 and output.colored else f"{text}\n")


def _shortened(text: str, width: int) -> str:
    """The text in so many columns."""
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"
