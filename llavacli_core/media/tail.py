"""Whether a clip's file breaks off: told by the sizes that its container states, else by its last packet."""

from __future__ import annotations

import os
from collections import deque
from typing import BinaryIO

import av
from av.packet import Packet
from av.video.stream import VideoStream

from llavacli_core.media.containers import opened, video_stream
from llavacli_core.media.footage import Footage
from llavacli_core.media.packets import packets_of
from llavacli_core.media.signature import ATOMS, TS_PACKETS, TS_SYNC

EBML, SEGMENT = b"\x1aE\xdf\xa3", b"\x18\x53\x80\x67"
FAR = 1000  # packets that a last one may hang on; longer chains are not followed
STRICT = {"err_detect": "explode"}  # no concealing of what is missing


def breaks_off(footage: Footage) -> bool:
    """Whether the end of the file is missing, or its last frame damaged; what a container leaves open may go unseen."""
    with footage.opened() as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        stated = _stated_size(file, footage.head, size)
    if stated is not None:
        return size < stated
    return not _last_packet_decodes(footage)


def _stated_size(file: BinaryIO, head: bytes, size: int) -> int | None:
    """How long the file must at least be, by its container; None where that does not say."""
    if head[4:8] == b"ftyp" or head[4:8] in ATOMS:
        return _end_of_atoms(file, size)
    if head.startswith(EBML):
        return _end_of_segment(head)
    if head[:4] == b"RIFF":
        return _end_of_chunks(file, size)
    packet = next((packet for packet, start in TS_PACKETS if _syncs(head, packet, start)), None)
    if packet is not None and size % packet:
        return size + packet - size % packet
    return None


def _end_of_atoms(file: BinaryIO, size: int) -> int | None:
    """Where the last of an MP4 file's atoms ends; what follows them and is none may be anything."""
    end = 0
    while end + 8 <= size:
        file.seek(end)
        header = file.read(16)
        length, kind = int.from_bytes(header[:4]), header[4:8]
        if length == 1:
            length = int.from_bytes(header[8:16])
        if not kind.isalnum() or length < 8:
            return None if kind == b"mdat" else end  # 0: it goes on to the end of the file, wherever that is
        end += length
    return end


def _end_of_segment(head: bytes) -> int | None:
    """Where the Segment of a Matroska file ends, which all of it is in; None for one that was written as it came."""
    length, start = _number(head, len(EBML))
    start += length or 0
    if not head.startswith(SEGMENT, start):
        return None
    length, start = _number(head, start + len(SEGMENT))
    return None if length is None else start + length


def _number(data: bytes, start: int) -> tuple[int | None, int]:
    """An EBML number of as many bytes as its leading zero bits say, None if all others are set; where it ends."""
    first = data[start] if start < len(data) else 0
    count = 9 - first.bit_length()
    value = int.from_bytes(data[start : start + count]) & ((1 << 7 * count) - 1)
    return (None if value == (1 << 7 * count) - 1 else value), start + count


def _end_of_chunks(file: BinaryIO, size: int) -> int | None:
    """Where the last RIFF chunk of an AVI file ends: there is one for each gigabyte or so."""
    end = 0
    while end + 8 <= size:
        file.seek(end)
        kind, length = file.read(4), int.from_bytes(file.read(4), "little")
        if kind != b"RIFF":
            break
        if not length:
            return None  # never filled in
        end += 8 + length
    return end


def _syncs(head: bytes, packet: int, start: int) -> bool:
    """Whether the file is a transport stream of packets of this size."""
    marks = head[start::packet]
    return len(marks) > 2 and set(marks) == {TS_SYNC}


def _last_packet_decodes(footage: Footage) -> bool:
    """Whether the last packet is whole and decodes without an error, after those that it may hang on."""
    since: deque[Packet[VideoStream]] = deque(maxlen=FAR)
    with opened(footage) as container:
        stream = video_stream(container, footage)
        for packet in packets_of(container, stream):
            if packet.is_keyframe:
                since.clear()
            since.append(packet)
        if not since or not since[0].is_keyframe:
            return True  # nothing tells
        if since[-1].is_corrupt:
            return False
        decoder = stream.codec_context
        decoder.options, decoder.thread_count = STRICT, 1  # threads tell of errors with later packets, or not at all
        decodes = True
        for packet in since:
            try:
                decoder.decode(packet)
                decodes = True
            except (av.FFmpegError, ValueError):
                decodes = False
    return decodes
