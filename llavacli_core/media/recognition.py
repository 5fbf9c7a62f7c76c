"""Whether a file is a picture at all, and one that moves, told by its header: no pixel is decoded."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from os import PathLike
from typing import BinaryIO

from PIL import Image, ImageFile

from llavacli_core.errors import CoreError
from llavacli_core.media.quiet import quiet
from llavacli_core.media.signature import HEAD, is_clip
from llavacli_core.media.source import explained, local_path, open_regular

CLOSED = ("EPS", "MPEG")  # Pillow names them, but would start Ghostscript on the one and cannot read the other
MOVING = ("GIF", "PNG", "WEBP", "AVIF")  # the pages of a TIFF or an MPO are no frames


def is_picture(source: str | PathLike[str] | bytes) -> bool:
    """Whether a file, or the bytes of one, begins as a picture that can be read here; its pixels may still be damaged.

    As of `is_video`: nothing is fetched, and a URL or what cannot be read is none.
    """
    return _looked_into(source, _is_known)


def is_animated(source: str | PathLike[str] | bytes) -> bool:
    """Whether a file, or the bytes of one, is a picture of several frames, which counts as a clip when asked.

    As of `is_picture`.
    """
    return _looked_into(source, _moves)


def _looked_into(source: str | PathLike[str] | bytes, look: Callable[[BinaryIO], bool]) -> bool:
    """What `look` makes of the file; False for what cannot be read."""
    try:
        if isinstance(source, bytes):
            return look(io.BytesIO(source))
        name = os.fsdecode(source)
        path = local_path(name)
        if path is None:
            return False
        with explained(name), open_regular(path, name) as file:
            return look(file)
    except CoreError:
        return False


def _is_known(file: BinaryIO) -> bool:
    """Whether Pillow knows its format and can decode it."""
    if is_clip(file.read(HEAD)):
        return False
    file.seek(0)
    try:
        with quiet(), Image.open(file) as image:
            return image.format not in CLOSED and not isinstance(image, ImageFile.StubImageFile)
    except Image.DecompressionBombError:
        return True  # too large a picture is one: whoever opens it says so
    except Exception:  # headers fail on damaged data in every way there is
        return False


def _moves(file: BinaryIO) -> bool:
    """What Pillow says of the file, of which it decodes nothing (of a GIF it looks for a second frame)."""
    try:
        with quiet(), Image.open(file, formats=MOVING) as image:
            return bool(getattr(image, "is_animated", False))
    except Exception:  # as above
        return False
