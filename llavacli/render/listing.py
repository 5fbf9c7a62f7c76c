"""Kept conversations in a list: a table on a terminal, lines of fields between tabs in a pipe, records."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from llavacli.render.columns import write_fields, write_table
from llavacli.render.record import line
from llavacli.sessions.rows import stamp

if TYPE_CHECKING:
    from llavacli.sessions.records import Hit, Summary
    from llavacli.streams import Output

LISTED, FOUND = "llavacli.sessions/1", "llavacli.search/1"  # schemas
WIDE = 100  # columns, from which there is room for the model's name


def list_summaries(summaries: Sequence[Summary], output: Output, *, json: bool) -> None:
    """Write conversations: id, time, number of turns, model, title."""
    if json:
        for each in summaries:
            values = {**asdict(each), "created": stamp(each.created), "updated": stamp(each.updated)}
            output.write(line({"schema": LISTED, **values}))
    elif not output.is_terminal:
        for each in summaries:
            write_fields(output, each.id, stamp(each.updated), str(each.turns), each.model, each.title)
    elif summaries:
        rows = [("ID", "LAST", "TURNS", "MODEL", "TITLE")]
        for each in summaries:
            last, model = f"{each.updated.astimezone():%Y-%m-%d %H:%M}", each.model.rstrip("/").rpartition("/")[2]
            rows.append((each.id, last, str(each.turns), model, each.title))
        is_wide = shutil.get_terminal_size().columns >= WIDE
        write_table(rows if is_wide else [(*row[:3], row[4]) for row in rows], output)


def list_hits(hits: Sequence[Hit], output: Output, *, json: bool) -> None:
    """Write what a search found: id, position of the turn, whose it is, the words around."""
    if json:
        for hit in hits:
            output.write(line({"schema": FOUND, **asdict(hit), "created": stamp(hit.created)}))
    elif not output.is_terminal:
        for hit in hits:
            write_fields(output, hit.id, str(hit.position), hit.role, hit.excerpt)
    elif hits:
        rows = [(hit.id, str(hit.position), hit.role, hit.excerpt) for hit in hits]
        write_table([("ID", "TURN", "WHO", "WORDS"), *rows], output)
