"""Chosen frames of a clip, decoded with decord: an optional second backend, whose frames are PyAV's."""

from __future__ import annotations

import io
import os
from types import ModuleType

from av.video.frame import VideoFrame
from PIL import Image

from llavacli_core.errors import BadOption
from llavacli_core.media import video_frames
from llavacli_core.media.bitstream import Role
from llavacli_core.media.chosen import Chosen
from llavacli_core.media.containers import opened, video_stream
from llavacli_core.media.footage import Footage
from llavacli_core.media.packets import Listing, list_packets, packets_of
from llavacli_core.media.sampling import Choose, refuse_beyond_memory
from llavacli_core.media.signature import is_clip
from llavacli_core.media.upright import turn_of

FORMATS = ("mov", "matroska")  # decord finds frames by key frames and stamps, which other containers lack
CODECS = ("h264", "vp8", "vp9")
FULL_RANGE = 2  # AVCOL_RANGE_JPEG


def decode(footage: Footage, choose: Choose) -> Chosen:
    """The frames that `choose` picks, as `video_frames.decode` gives them, which also takes over what decord cannot do.

    That is whatever decord would find, count, turn or colour otherwise, and files that do not begin as videos do: it
    has an FFmpeg of its own that cannot be told which formats to keep from. Raises BadOption where it is not installed.
    """
    decord = _decord()
    listing = _listing(footage) if is_clip(footage.head) else None
    if listing is None:
        return video_frames.decode(footage, choose)
    numbers = choose(listing.timeline)
    uri = os.path.abspath(footage.content) if isinstance(footage.content, str) else io.BytesIO(footage.content)
    try:
        reader = decord.VideoReader(uri, ctx=decord.cpu(0))
        height, width = reader[0].shape[:2]
        refuse_beyond_memory(len(numbers), width, height)
        frames = reader.get_batch(list(numbers)).asnumpy() if len(reader) == listing.timeline.total else None
    except (decord.DECORDError, RuntimeError):
        frames = None
    if frames is None:
        return video_frames.decode(footage, choose)
    return Chosen({number: Image.fromarray(frame) for number, frame in zip(numbers, frames, strict=True)})


def _listing(footage: Footage) -> Listing | None:
    """The packets; None for a clip that is not certain to come to the same frames in decord."""
    with opened(footage) as container:
        stream = video_stream(container, footage)
        if stream.codec_context.name not in CODECS or not set(FORMATS) & set(container.format.name.split(",")):
            return None
        listing = list_packets(container, stream)
    with opened(footage) as container:
        stream = video_stream(container, footage)
        keys: list[bool] = []
        first: VideoFrame | None = None
        for packet in packets_of(container, stream):
            keys.append(packet.is_keyframe)
            first = first or next(iter(stream.codec_context.decode(packet)), None)
    alike = listing.exact and keys == [Role.ACCESS in role for role in listing.roles]
    return listing if alike and first is not None and _is_plain(first) else None


def _is_plain(frame: VideoFrame) -> bool:
    """Whether it is upright, and of the colours that decord takes all frames to have."""
    plain = frame.format.name == "yuv420p" and frame.color_range != FULL_RANGE
    return plain and not frame.interlaced_frame and turn_of(frame) is None


def _decord() -> ModuleType:
    """decord, if it is installed."""
    try:
        import decord
    except ImportError as error:
        raise BadOption("decord is not installed", hint="pip install 'llavacli[decord]'") from error
    assert isinstance(decord, ModuleType)
    return decord
