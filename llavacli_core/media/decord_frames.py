"""Chosen frames of a clip, decoded with decord: an optional second backend, whose frames are PyAV's."""

from __future__ import annotations

import io
import os
from types import ModuleType

from PIL import Image

from llavacli_core.errors import BadOption
from llavacli_core.media import video_frames
from llavacli_core.media.containers import opened, video_stream
from llavacli_core.media.footage import Footage
from llavacli_core.media.packets import Listing, list_packets, packets_of
from llavacli_core.media.sampling import Choose, refuse_beyond_memory
from llavacli_core.media.signature import is_clip
from llavacli_core.media.upright import turn_of

Pictures = dict[int, Image.Image]

FULL_RANGE = 2  # AVCOL_RANGE_JPEG


def decode(footage: Footage, choose: Choose) -> Pictures:
    """The frames that `choose` picks, as `video_frames.decode` gives them, which also takes over what decord cannot do.

    That is whatever decord would count, turn or colour otherwise, and files that do not begin as videos do: decord has
    an FFmpeg of its own that cannot be told which formats to keep from. Raises BadOption where it is not installed.
    """
    decord = _decord()
    listing = _listing(footage)
    if listing is None or not listing.exact or not is_clip(footage.head):
        return video_frames.decode(footage, choose)
    uri = os.path.abspath(footage.content) if isinstance(footage.content, str) else io.BytesIO(footage.content)
    try:
        reader = decord.VideoReader(uri, ctx=decord.cpu(0))
        if len(reader) != listing.timeline.total:
            return video_frames.decode(footage, choose)
        numbers = choose(listing.timeline)
        height, width = reader[0].shape[:2]
        refuse_beyond_memory(len(numbers), width, height)
        frames = reader.get_batch(list(numbers)).asnumpy()
    except (decord.DECORDError, RuntimeError):
        return video_frames.decode(footage, choose)
    return {number: Image.fromarray(frame) for number, frame in zip(numbers, frames, strict=True)}


def _listing(footage: Footage) -> Listing | None:
    """The packets; None for a clip whose frames are to be turned, or are not of the colours that decord assumes."""
    with opened(footage) as container:
        stream = video_stream(container, footage)
        listing = list_packets(container, stream)
    with opened(footage) as container:
        stream = video_stream(container, footage)
        for packet in packets_of(container, stream):
            for frame in stream.codec_context.decode(packet):
                plain = frame.format.name == "yuv420p" and frame.color_range != FULL_RANGE
                return listing if plain and turn_of(frame) is None else None
    return None


def _decord() -> ModuleType:
    """decord, if it is installed."""
    try:
        import decord
    except ImportError as error:
        raise BadOption("decord is not installed", hint="pip install 'llavacli[decord]'") from error
    assert isinstance(decord, ModuleType)
    return decord
