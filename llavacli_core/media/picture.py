"""Bytes or a PIL image -> one upright RGB picture."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import ExifTags, Image, UnidentifiedImageError

from llavacli_core.errors import InputError, InputTooLarge, UnreadableInput
from llavacli_core.media.colour import to_rgb
from llavacli_core.media.names import promises_video, shown, wanted
from llavacli_core.media.quiet import quiet
from llavacli_core.media.signature import is_clip, is_list, is_sound, seems

if TYPE_CHECKING:
    from llavacli_core.media.source import Source

MAX_PIXELS = 178_956_970  # where Pillow, left as it is, refuses too
MAX_EDGE = 100_000  # resizing goes through (target width) x (picture height); one-pixel strips may be very long

REMEDIES = {  # what to do about kinds of files that no conversion makes pictures
    "an HTML page": "name the picture itself, not a page about it",
    "a ZIP archive or an office document": "unpack it, and name the pictures in it",
    "gzip-compressed data": "unpack it first",
    "a Git LFS pointer, not the file itself": "fetch the file with git lfs pull",
}

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def open_picture(source: Source) -> Image.Image:
    """What was read, as an upright RGB picture; errors as of `decode`."""
    return decode(source.data, source.name)


def decode(source: bytes | Image.Image, name: str = "-") -> Image.Image:
    """The picture upright (EXIF orientation applied) in RGB; of an animation the first frame.

    Raises UnreadableInput for what is empty, truncated, damaged or no picture, and InputTooLarge for more than
    `MAX_PIXELS` pixels or an edge beyond `MAX_EDGE`; both say `name`. A PIL image is never changed, and returned as it
    is if it needs no change.
    """
    try:
        with quiet():
            image = source if isinstance(source, Image.Image) else _open(source, name)
            _measure(image)
            image.load()
            turn = turn_of(image)
            return turned(to_rgb(image), turn)
    except InputError as error:
        raise type(error)(f"{shown(name)}: {error}", hint=error.hint) from None
    except (Image.DecompressionBombError, MemoryError) as error:
        most = f"more than {MAX_PIXELS // 10**6} megapixels, or than memory holds"
        raise InputTooLarge(f"{shown(name)}: {most}", hint="scale it down first") from error
    except Exception as error:  # decoders fail on damaged data in every way there is
        raise _unreadable(source, name, error) from error


def _open(data: bytes, name: str) -> Image.Image:
    """The picture in `data`, its pixels not decoded yet."""
    if not data:
        raise UnreadableInput("the file is empty", hint=wanted(name))
    image = Image.open(io.BytesIO(data))
    if image.format == "EPS":
        raise UnidentifiedImageError("Pillow would start Ghostscript on it")
    return image


def _unreadable(source: bytes | Image.Image, name: str, error: Exception) -> UnreadableInput:
    """What a decoder's failure comes to: another kind of file, no known kind, or a damaged picture."""
    if isinstance(source, bytes) and (kind := seems(source)) is not None:
        return _of_another_kind(source, kind, name)
    if isinstance(error, UnidentifiedImageError):
        what = "a video" if promises_video(name) else "a picture"
        return UnreadableInput(f"{shown(name)}: not {what}, or one whose beginning is damaged", hint=wanted(name))
    reason = " ".join(str(error).split()) or type(error).__name__
    return UnreadableInput(
        f"{shown(name)}: the picture is truncated or damaged ({reason})", hint="fetch or export it again"
    )


def _of_another_kind(data: bytes, kind: str, name: str) -> UnreadableInput:
    """A file that is well, and no picture."""
    if is_list(data):
        what, hint = "neither a picture nor a video", "give one of the videos that it plays"
    elif is_sound(data):
        what, hint = "neither a picture nor a video", "give a picture or a video"
    elif not is_clip(data):
        what, hint = "cannot be read as a picture", REMEDIES.get(kind, "convert it to JPEG or PNG first")
    elif name.lower().startswith(("http://", "https://")):
        what, hint = "cannot be read as a picture", "download it and name the file, or name a URL that ends in .mp4"
    else:
        what, hint = "cannot be read as a picture", "give it as a video, or one of its frames as a picture"
    return UnreadableInput(f"{shown(name)}: {what}; it seems to be {kind}", hint=hint)


def _measure(image: Image.Image) -> None:
    """Refuse a picture that would not fit in memory, before it is decoded."""
    width, height = image.size
    if width < 1 or height < 1:
        raise UnreadableInput(f"a picture of {width} x {height} pixels", hint="give one that is not empty")
    if width * height > MAX_PIXELS:
        raise InputTooLarge(
            f"{width} x {height} pixels are more than {MAX_PIXELS // 10**6} megapixels", hint="scale it down first"
        )
    if max(width, height) > MAX_EDGE:
        raise InputTooLarge(f"{width} x {height}: an edge of more than {MAX_EDGE} pixels", hint="crop it first")


def turn_of(image: Image.Image) -> Image.Transpose | None:
    """What brings a picture that was loaded upright; None for one that is, or whose EXIF data cannot be read."""
    try:
        return UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged EXIF data must not cost the picture
        return None


def turned(picture: Image.Image, turn: Image.Transpose | None) -> Image.Image:
    """The picture turned, and no longer saying that it needs to be."""
    if turn is None:
        return picture
    upright = picture.transpose(turn)
    upright.info = {}
    return upright
