"""Whether a picture moves: GIF, APNG, WebP and AVIF may hold several frames, which count as a clip when asked."""

from __future__ import annotations

import io
import os
from os import PathLike

from PIL import Image

from llavacli_core.errors import CoreError
from llavacli_core.media.quiet import quiet
from llavacli_core.media.source import local_path, read_source

FORMATS = ("GIF", "PNG", "WEBP", "AVIF")  # the pages of a TIFF or an MPO are no frames


def is_animated(source: str | PathLike[str] | bytes) -> bool:
    """Whether a file, or the bytes of one, is a picture of several frames.

    As of `is_video`: nothing is fetched, and a URL or what cannot be read is none.
    """
    try:
        if not isinstance(source, bytes) and local_path(os.fsdecode(source)) is None:
            return False
        data = read_source(source).data
        assert isinstance(data, bytes)
        with quiet(), Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return bool(getattr(image, "is_animated", False))
    except (CoreError, OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError):
        return False
