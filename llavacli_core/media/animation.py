"""Whether a picture moves: GIF, APNG, WebP and AVIF may hold several frames, which count as a clip when asked."""

from __future__ import annotations

import io
import os
from os import PathLike
from typing import BinaryIO

from PIL import Image

from llavacli_core.errors import CoreError
from llavacli_core.media.quiet import quiet
from llavacli_core.media.source import explained, local_path, open_regular

FORMATS = ("GIF", "PNG", "WEBP", "AVIF")  # the pages of a TIFF or an MPO are no frames


def is_animated(source: str | PathLike[str] | bytes) -> bool:
    """Whether a file, or the bytes of one, is a picture of several frames.

    As of `is_video`: nothing is fetched, and a URL or what cannot be read is none.
    """
    try:
        if isinstance(source, bytes):
            return _moves(io.BytesIO(source))
        name = os.fsdecode(source)
        path = local_path(name)
        if path is None:
            return False
        with explained(name), open_regular(path, name) as file:
            return _moves(file)
    except (CoreError, OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError):
        return False


def _moves(file: BinaryIO) -> bool:
    """What Pillow says of the file, of which it decodes nothing (of a GIF it looks for a second frame)."""
    with quiet(), Image.open(file, formats=FORMATS) as image:
        return bool(getattr(image, "is_animated", False))
