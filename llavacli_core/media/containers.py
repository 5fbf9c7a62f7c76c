"""Containers of video, opened so that a media file can read nothing but itself.

FFmpeg also reads playlists, capture devices, and lists of other files, and follows what they name. So it is given
bytes and no name, takes the formats listed here and no other (checked after probing, before any of them acts), and is
refused every further file or address that a format may ask for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NoReturn

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from llavacli_core.errors import InputTooLarge, UnreadableInput
from llavacli_core.media.footage import Footage
from llavacli_core.media.names import shown
from llavacli_core.media.picture import MAX_EDGE, MAX_PIXELS
from llavacli_core.media.signature import begins_as_picture, clip_kind, is_list, seems

FORMATS = (
    "mov", "matroska", "avi", "mpegts", "mpeg", "mpegvideo", "flv", "ogg", "asf", "ivf", "yuv4mpegpipe", "mxf", "h264",
    "hevc",
)  # fmt: skip
OPTIONS = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "none", "enable_drefs": "0"}
STILLS = av.stream.Disposition.attached_pic | av.stream.Disposition.still_image | av.stream.Disposition.timed_thumbnails
BUFFER = 2**18  # bytes read at a time


class _Nameless:
    """A file as FFmpeg is to know it: by its bytes alone, as names take part in probing."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


@contextmanager
def opened(footage: Footage) -> Iterator[InputContainer]:
    """The clip's container. Raises UnreadableInput for what is no video of a listed format."""
    with footage.opened() as file:
        try:
            container = av.open(
                _Nameless(file),
                container_options=OPTIONS,
                buffer_size=BUFFER,
                io_open=_refused,
                metadata_errors="replace",
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            raise _unreadable(footage, error) from error
        assert isinstance(container, InputContainer)
        with container:
            yield container


def video_stream(container: InputContainer, footage: Footage) -> VideoStream:
    """The first stream of moving pictures.

    Raises UnreadableInput where there is none, cover art aside, or no decoder, and InputTooLarge beyond `MAX_PIXELS`.
    """
    stream = next((s for s in container.streams.video if not s.disposition & STILLS), None)
    if stream is None:
        what = "only sound" if container.streams.audio else "no moving pictures"
        raise UnreadableInput(
            f"{shown(footage.name)}: holds {what}, no video", hint="give a video, such as an MP4 file"
        )
    if stream.codec_context is None:
        raise UnreadableInput(
            f"{shown(footage.name)}: damaged, or of a video format that has no decoder here",
            hint="convert it to H.264 in MP4 first",
        )
    if stream.width * stream.height > MAX_PIXELS or max(stream.width, stream.height) > MAX_EDGE:
        raise InputTooLarge(
            f"{shown(footage.name)}: {stream.width} x {stream.height} pixels a frame", hint="scale the clip down first"
        )
    return stream


def _refused(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    """What FFmpeg gets for asking to open anything: this file may only read itself."""
    raise PermissionError("a media file may only read itself")


def _unreadable(footage: Footage, error: Exception) -> UnreadableInput:
    """What a failure to open comes to: another kind of file, or a damaged video."""
    if begins_as_picture(footage.head):
        return UnreadableInput(f"{shown(footage.name)}: is a picture, no video", hint="give it as a picture")
    kind = seems(footage.head)
    if kind is not None and clip_kind(footage.head) is None:
        hint = "give one of the videos that it plays" if is_list(footage.head) else "give a video, such as an MP4 file"
        return UnreadableInput(f"{shown(footage.name)}: is no video; it seems to be {kind}", hint=hint)
    if kind is None:
        return UnreadableInput(
            f"{shown(footage.name)}: not a video, or of a format that is not read here",
            hint="give a video, such as an MP4, MKV, WebM, MOV or AVI file",
        )
    reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
    return UnreadableInput(
        f"{shown(footage.name)}: the video is truncated or damaged ({shown(reason)})",
        hint="fetch or export it again",
    )
