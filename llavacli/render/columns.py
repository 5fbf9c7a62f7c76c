"""Rows of a list: a table on a terminal, fields between tabs in a pipe; and sizes and times as people read them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from llavacli.render.text import escaped

if TYPE_CHECKING:
    from llavacli.streams import Output

NARROWEST = 20  # columns for the last field, however narrow the terminal


def write_fields(output: Output, *values: str) -> None:
    """One line; a tab or a new line within a field becomes a blank."""
    output.write("\t".join(value.translate({9: " ", 10: " ", 13: " "}) for value in values) + "\n")


def write_table(rows: Sequence[Sequence[str]], output: Output) -> None:
    """Columns under a heading, the last one cut at the terminal's edge."""
    from rich.cells import cell_len, set_cell_size

    safe = [[escaped(value, lines=False) for value in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*safe, strict=True)]
    room = shutil.get_terminal_size().columns - sum(widths[:-1]) - 2 * len(widths[:-1])
    for number, row in enumerate(safe):
        cells = [set_cell_size(value, width) for value, width in zip(row, widths[:-1], strict=False)]
        text = "  ".join([*cells, shortened(row[-1], max(room, NARROWEST))]).rstrip()
        output.write(f"\x1b[1m{text}\x1b[0m\n" if number == 0 and output.colored else f"{text}\n")


def shortened(text: str, width: int) -> str:
    """The text in so many columns."""
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


def bytes_of(count: int) -> str:
    """A size as the Hub writes it: 14.1 GB, of a thousand MB each."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.95 or unit == "GB":
            return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError(count)


def day(seconds: float) -> str:
    """A time to the minute, where we are."""
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M}"
