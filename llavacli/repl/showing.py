"""A picture or a clip of the conversation as the terminal can draw it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from llavacli.failures import UsageError
from llavacli.render import preview
from llavacli.repl.opening import marks_of
from llavacli.repl.turns import Attachment

if TYPE_CHECKING:
    import llavacli_core as core

KEPT = 3  # rows of the terminal that stay free for the prompt


def drawn(attachment: Attachment, engine: core.Engine, *, as_seen: bool, color: bool) -> str:
    """The picture as it is, marks included, or what the model gets of it; of a clip always that.

    Whole lines for the terminal. Raises UsageError where nothing can be drawn, InputError for what cannot be read.
    """
    import llavacli_core as core

    if attachment.missing:
        raise UsageError(f"{attachment.label} {attachment.source.name} is no longer there", hint="/drop takes it out")
    grid = (0, 0)
    if as_seen or not isinstance(attachment.part, core.Image):
        seen = core.tiles_as_seen(engine.processor, attachment.part)
        pictures, grid = seen.pictures, (seen.rows, seen.cols)
    else:
        pictures = (core.draw_marks(attachment.source.content, marks_of(attachment)),)
    size = shutil.get_terminal_size()
    how = preview.protocol("auto", os.environ, color=color)
    depth = preview.depth(os.environ, color=color)
    lines = preview.preview(
        pictures, columns=size.columns, rows=max(1, size.lines - KEPT), protocol=how, depth=depth, grid=grid
    )
    if not lines:
        raise UsageError("there is no room to draw in", hint="make the window larger")
    return lines
