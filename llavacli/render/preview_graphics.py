"""A picture by the protocols of terminals that show pixels: kitty's, iTerm2's, and sixel."""

from __future__ import annotations

import io
import re
from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

CHUNK = 4096  # base64 characters of one of kitty's commands
BAND = 6  # rows of pixels in a sixel
COLOURS = 128  # of a sixel picture

_REPEATED = re.compile(rb"(.)\1{3,}", re.DOTALL)


def kitty(picture: Picture, columns: int, rows: int) -> str:
    """Scaled to so many cells. The terminal is told to answer nothing (q=2): that would be taken for keys."""
    data = b64encode(_png(picture)).decode()
    chunks = [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)]
    control = [f"a=T,f=100,q=2,c={columns},r={rows},"] + ["q=2,"] * (len(chunks) - 1)
    more = [1] * (len(chunks) - 1) + [0]
    commands = zip(control, more, chunks, strict=True)
    return "".join(f"\x1b_G{keys}m={follows};{chunk}\x1b\\" for keys, follows, chunk in commands) + "\n"


def iterm2(picture: Picture, columns: int, rows: int) -> str:
    """Scaled to fit into so many cells."""
    data = _png(picture)
    keys = f"inline=1;size={len(data)};width={columns};height={rows};preserveAspectRatio=1"
    return f"\x1b]1337;File={keys}:{b64encode(data).decode()}\x07\n"


def sixel(picture: Picture) -> str:
    """Pixel by pixel: for every six rows, each colour's columns of six dots, run-length encoded."""
    indexed = picture.quantize(COLOURS)
    levels = indexed.getpalette() or []
    width, height = indexed.size
    data = indexed.tobytes()
    used = sorted(set(data))
    bands = []
    colours = [f"#{index};2;" + ";".join(str(round(level / 2.55)) for level in _rgb(levels, index)) for index in used]
    for top in range(0, height, BAND):
        rows = [data[row * width : (row + 1) * width] for row in range(top, min(top + BAND, height))]
        planes = [f"#{index}{_dots(rows, index)}" for index in sorted(set(b"".join(rows)))]
        bands.append("$".join(planes))
    return f'\x1bP0;1q"1;1;{width};{height}' + "".join(colours) + "-".join(bands) + "\x1b\\\n"


def _dots(rows: list[bytes], index: int) -> str:
    """Where one colour is in up to six rows: a character for each column, whose bits are the rows from the top."""
    columns = 0
    for bit, row in enumerate(rows):
        marks = bytearray(256)
        marks[index] = 1 << bit
        columns |= int.from_bytes(row.translate(bytes(marks)), "big")
    dots = columns.to_bytes(len(rows[0]), "big").translate(bytes((63 + value) % 256 for value in range(256)))
    dots = dots.rstrip(b"?")  # columns without a dot
    return _REPEATED.sub(lambda run: b"!%d%s" % (len(run[0]), run[1]), dots).decode("ascii")


def _rgb(levels: list[int], index: int) -> list[int]:
    return levels[3 * index : 3 * index + 3]


def _png(picture: Picture) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
