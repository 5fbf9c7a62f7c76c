"""Whether a file is a picture at all, told by its header: no pixel is decoded."""

from __future__ import annotations

import io
import os
from os import PathLike
from typing import BinaryIO

from PIL import Image, ImageFile

from llavacli_core.errors import CoreError
from llavacli_core.media.quiet import quiet
from llavacli_core.media.signature import HEAD, is_clip
from llavacli_core.media.source import explained, local_path, open_regular

CLOSED = ("EPS", "MPEG")  # Pillow names them, but would start Ghostscript on the one and cannot read the other


def is_picture(source: str | PathLike[str] | bytes) -> bool:
    """Whether a file, or the bytes of one, begins as a picture that can be read here; its pixels may still be damaged.

    As of `is_video`: nothing is fetched, and a URL or what cannot be read is none.
    """
    try:
        if isinstance(source, bytes):
            return _is_known(io.BytesIO(source))
        name = os.fsdecode(source)
        path = local_path(name)
        if path is None:
            return False
        with explained(name), open_regular(path, name) as file:
            return _is_known(file)
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
