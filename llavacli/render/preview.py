"""Pictures drawn in the terminal, by what its environment says it can do: it is never asked, nor left waiting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from llavacli.render.preview_cells import Depth, blocks
from llavacli.render.preview_graphics import iterm2, kitty, sixel
from llavacli.render.preview_sheet import sheet

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Protocol = Literal["kitty", "iterm2", "sixel", "blocks", "none"]
Choice = Literal["auto", "kitty", "iterm2", "sixel", "blocks", "none"]

CELL = (8, 16)  # pixels that are sent for a cell; where cells are larger, a sixel picture takes fewer of them

_ITERM2 = ("iTerm.app", "WezTerm", "mintty")
_SIXEL = ("foot", "mlterm", "contour", "yaft")
_TRUE_COLOR = ("kitty", "ghostty", "foot", "contour", "alacritty", "direct", "wezterm")


def protocol(choice: Choice, environment: Mapping[str, str], *, color: bool) -> Protocol:
    """How to draw: as was chosen, else the best that the terminal is known to understand.

    Multiplexers pass no pictures on, and half blocks are understood everywhere.
    """
    if choice != "auto":
        return choice
    term, program = environment.get("TERM", ""), environment.get("TERM_PROGRAM", "")
    if not color or term.startswith(("screen", "tmux", "dumb")) or {"TMUX", "STY", "ZELLIJ"} & set(environment):
        return "blocks"
    if "KITTY_WINDOW_ID" in environment or "kitty" in term or "ghostty" in (program, term.removeprefix("xterm-")):
        return "kitty"
    if program in _ITERM2 or environment.get("LC_TERMINAL") == "iTerm2":
        return "iterm2"
    return "sixel" if term.startswith(_SIXEL) or "sixel" in term else "blocks"


def depth(environment: Mapping[str, str], *, color: bool) -> Depth:
    """How many colours half blocks may have; without colour, characters stand for greys."""
    if not color:
        return "grey"
    term = environment.get("TERM", "")
    full = environment.get("COLORTERM") in ("truecolor", "24bit") or "WT_SESSION" in environment
    return "full" if full or any(name in term for name in _TRUE_COLOR) else "256"


def preview(
    pictures: Sequence[Picture],
    *,
    columns: int,
    rows: int,
    protocol: Protocol,
    depth: Depth = "full",
    grid: tuple[int, int] = (0, 0),
) -> str:
    """Pictures in no more than so many cells: one alone, a video's frames, or an overview and its `grid` of tiles.

    It is whole lines of text, in which a cell counts as twice as high as wide. Empty where nothing can be drawn:
    without room, or with "none".
    """
    if protocol == "none":
        return ""
    cell = (1, 2) if protocol == "blocks" else CELL
    drawn = sheet(pictures, grid, (columns * cell[0], rows * cell[1]), gap=1 if protocol == "blocks" else cell[0])
    if drawn is None:
        return ""
    if protocol == "blocks":
        return blocks(drawn, depth)
    if protocol == "sixel":
        return sixel(drawn)
    taken = (-(-drawn.width // cell[0]), -(-drawn.height // cell[1]))
    return (kitty if protocol == "kitty" else iterm2)(drawn, *taken)
