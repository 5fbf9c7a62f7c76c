"""A download under way: a bar where stderr is a terminal, one line where it is not."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING

from llavacli.render.text import escaped

if TYPE_CHECKING:
    import llavacli_core as core
    from llavacli.streams import Notes


def follow(progress: Iterable[core.Progress], name: str, notes: Notes, doing: str = "downloading") -> None:
    """Run a download to its end and show how far it is; nothing is said before it has begun."""
    steps = iter(progress)
    first = next(steps, None)
    if first is None:
        return
    disabled = os.environ.get("HF_HUB_DISABLE_PROGRESS_BARS", "").upper() in ("1", "ON", "YES", "TRUE")
    if notes.quiet or not notes.is_terminal or os.environ.get("TERM") == "dumb" or disabled:
        notes.note(f"{doing} {name}")
        for _ in steps:
            pass
        return
    _bar(chain([first], steps), name, colored=notes.colored)


def _bar(progress: Iterable[core.Progress], name: str, *, colored: bool) -> None:
    """Rich's bar, with the name as plain text: no markup in it is interpreted. What was there before is no speed."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True, no_color=not colored, highlight=False)
    with Progress(*columns, console=console) as bar:
        steps = iter(progress)
        first = next(steps)
        task = bar.add_task(escaped(name, lines=False), total=first.total or None, completed=first.done)
        for step in steps:
            bar.update(task, completed=step.done, total=step.total or None)
