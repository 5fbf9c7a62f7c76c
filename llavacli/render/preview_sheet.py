"""Pictures laid out on one sheet that is as large as the terminal has room for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

GAP_COLOUR = (96, 96, 96)  # neither the black nor the mean colour that tiles are padded with
LEAST = 4  # pixels of a frame that still shows something; of a video with more frames, every second is left out
LANCZOS = 1  # Pillow's number


@dataclass(frozen=True)
class Layout:
    """`cols` x `rows` places of one size, `gap` pixels apart; `aside`: the first column stands twice as far off."""

    cols: int
    rows: int
    gap: int
    aside: bool = False

    def corner(self, place: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
        """The upper left corner of a place (column, row), when each has a size."""
        col, row = place
        extra = self.gap if self.aside and col else 0
        return col * (size[0] + self.gap) + extra, row * (size[1] + self.gap)

    def size(self, box: tuple[int, int], tile: tuple[int, int]) -> tuple[int, int]:
        """The largest size of a place in a box that keeps the proportions of a tile, and does not enlarge it."""
        width = box[0] - (self.cols - 1 + self.aside) * self.gap
        height = box[1] - (self.rows - 1) * self.gap
        scale = min(width / (self.cols * tile[0]), height / (self.rows * tile[1]), 1)
        if width < self.cols or height < self.rows:
            return 0, 0
        return max(int(tile[0] * scale), 1), max(int(tile[1] * scale), 1)


def sheet(pictures: Sequence[Picture], grid: tuple[int, int], box: tuple[int, int], gap: int) -> Picture | None:
    """One picture, at most as large as the box: a picture, an overview beside its tiles, or frames in rows.

    None where it has no room.
    """
    if not pictures:
        return None
    layout, places = _of_tiles(*grid, gap) if all(grid) else _of_frames(len(pictures), pictures[0].size, box, gap)
    pictures = pictures[:: -(-len(pictures) // len(places))]
    size = layout.size(box, pictures[0].size)
    if 0 in size:
        return None
    if len(pictures) == 1:
        return _scaled(pictures[0], size)
    corner = layout.corner((layout.cols - 1, layout.rows - 1), size)
    canvas = pictures[0].convert("RGB").resize((corner[0] + size[0], corner[1] + size[1]))
    canvas.paste(GAP_COLOUR, (0, 0, *canvas.size))
    for picture, place in zip(pictures, places, strict=False):  # the last places may stay empty
        canvas.paste(_scaled(picture, size), layout.corner(place, size))
    return canvas


def _of_tiles(rows: int, cols: int, gap: int) -> tuple[Layout, list[tuple[int, int]]]:
    """The overview at the left of its tiles."""
    grid = [(1 + col, row) for row in range(rows) for col in range(cols)]
    return Layout(1 + cols, rows, gap, aside=True), [(0, 0), *grid]


def _of_frames(
    count: int, frame: tuple[int, int], box: tuple[int, int], gap: int
) -> tuple[Layout, list[tuple[int, int]]]:
    """As many frames in a row as lets them be largest, and as few frames as lets them be seen."""
    while True:
        layouts = [Layout(cols, -(-count // cols), gap) for cols in range(1, count + 1)]
        best = max(layouts, key=lambda layout: layout.size(box, frame))
        if count == 1 or min(best.size(box, frame)) >= min(LEAST, *frame):
            return best, [(at % best.cols, at // best.cols) for at in range(count)]
        count = -(-count // 2)


def _scaled(picture: Picture, size: tuple[int, int]) -> Picture:
    """The picture in RGB and of a size."""
    return picture.convert("RGB").resize(size, LANCZOS, reducing_gap=2.0)
