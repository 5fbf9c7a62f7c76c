"""What names a clip -> the frames to look at, upright in RGB: the door of everything about video in this room."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING

from llavacli_core.errors import BadOption, InputError
from llavacli_core.media.chosen import Chosen
from llavacli_core.media.footage import Footage, find_footage
from llavacli_core.media.names import shown
from llavacli_core.media.sampling import Choose, chooser
from llavacli_core.media.signature import is_animation
from llavacli_core.media.source import NAMELESS
from llavacli_core.messages import Video

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

BACKENDS = ("auto", "pyav", "decord")
CUT_OFF = "the file is cut off or damaged; the frames are of what can be read"


@dataclass(frozen=True, eq=False)
class Clip:
    """`pictures` are the chosen frames, `frames` their numbers in display order, counted from 0; sizes are upright.

    `sha256` is of the file's bytes, or of the size and the pixels of frames handed over in memory. `warnings` say what
    is wrong with a clip whose frames can be shown nevertheless; they begin with its name.
    """

    name: str
    sha256: str
    width: int
    height: int
    frames: tuple[int, ...]
    pictures: tuple[Picture, ...]
    warnings: tuple[str, ...] = ()


def read_clip(video: Video, *, default_frames: int | None, backend: str = "auto") -> Clip:
    """Open a clip and decode the frames that `video.frames` or `video.fps` asks for, else `default_frames` of them.

    None of these: every frame. Raises BadOption, MissingInput, UnreadableInput, InputTooLarge and UrlError.
    """
    choose = chooser(video, default_frames)
    if backend not in BACKENDS:
        raise BadOption(f"the video backend is one of {', '.join(BACKENDS)}, not {backend!r}")
    if not isinstance(video.source, (str, PathLike, bytes, bytearray, memoryview)):
        from llavacli_core.media.frame_array import choose_frames

        with _named(NAMELESS):
            return _clip(NAMELESS, *choose_frames(video.source, choose))
    footage = find_footage(video.source)
    with _named(footage.name):
        return _clip(footage.name, footage.sha256, _decoded(footage, choose, backend))


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Errors that do not know which clip they are about say it."""
    try:
        yield
    except (BadOption, InputError) as error:
        if str(error).startswith(shown(name)):
            raise
        raise type(error)(f"{shown(name)}: {error}", hint=error.hint) from error


def _decoded(footage: Footage, choose: Choose, backend: str) -> Chosen:
    """The chosen frames, by whatever decodes a file that begins so."""
    if is_animation(footage.head):
        from llavacli_core.media.animated_frames import decode_animation

        return decode_animation(footage, choose)
    from llavacli_core.media.tail import breaks_off

    if backend == "decord":
        from llavacli_core.media.decord_frames import decode
    else:
        from llavacli_core.media.video_frames import decode
    pictures, whole = decode(footage, choose)
    return Chosen(pictures, whole and not breaks_off(footage))


def _clip(name: str, digest: str, chosen: Chosen) -> Clip:
    pictures = chosen.pictures
    first = next(iter(pictures.values()))
    warnings = () if chosen.whole else (f"{shown(name)}: {CUT_OFF}",)
    return Clip(name, digest, first.width, first.height, tuple(pictures), tuple(pictures.values()), warnings)
