"""What a packet of compressed video is to its neighbours, told by its first bits.

A codec has a rule here if each of its packets holds one frame, and if its headers tell where decoding may start. The
containers' own key-frame flags do not suffice: some mark H.264 pictures that later ones look back across.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Flag, auto

START_CODE = b"\x00\x00\x01"


class Role(Flag):
    """What decoding may do with a packet."""

    NEEDED = 0
    ACCESS = auto()  # decoding may start here: all that is shown later looks back no further
    DISPOSABLE = auto()  # no other frame looks at it
    HIDDEN = auto()  # decoded, and not shown
    STRANGE = auto()  # not one whole frame: packets do not tell frames apart


Rule = Callable[[memoryview, bool], Role]  # a packet's bytes, and whether its container calls it a key frame

INTRA = {"mjpeg", "prores", "dnxhd", "ffv1", "ffvhuff", "huffyuv", "utvideo", "rawvideo", "png", "v210"}


def rule_for(codec: str, extradata: bytes | None) -> Rule | None:
    """The rule for a decoder's packets, by its name in FFmpeg; None where only decoding tells."""
    if codec in ("h264", "hevc"):
        return _nal_rule(codec, extradata or b"")
    if codec in INTRA:
        return _flagged
    return {
        "mpeg1video": _mpeg2,
        "mpeg2video": _mpeg2,
        "mpeg4": _mpeg4,
        "vp8": _vp8,
        "vp9": _vp9,
        "av1": _flagged,  # a temporal unit shows one frame
        "libdav1d": _flagged,
        "libaom-av1": _flagged,
    }.get(codec)


def _flagged(data: memoryview, key: bool) -> Role:
    return Role.ACCESS if key else Role.NEEDED


def _nal_rule(codec: str, extradata: bytes) -> Rule:
    """H.264 and HEVC come as NAL units, after start codes, or after their lengths where `extradata` is a record."""
    record = extradata[:1] == b"\x01" and len(extradata) > 22 if codec == "hevc" else extradata[:1] == b"\x01"
    width = (extradata[21 if codec == "hevc" else 4] & 3) + 1 if record and len(extradata) > 4 else 0
    role = _hevc if codec == "hevc" else _h264
    return lambda data, key: role(_sized_units(data, width) if width else _coded_units(data))


def _sized_units(data: memoryview, width: int) -> Iterator[memoryview]:
    """The NAL units, each after its length of `width` bytes."""
    position = 0
    while position + width < len(data):
        size = int.from_bytes(data[position : position + width], "big")
        position += width
        yield data[position : position + size]
        position += size


def _coded_units(data: memoryview) -> Iterator[memoryview]:
    """The first bytes of each NAL unit, after its start code."""
    for position in _start_codes(bytes(data)):
        yield data[position : position + 8]


def _start_codes(data: bytes) -> Iterator[int]:
    """Where what follows each start code begins."""
    position = data.find(START_CODE)
    while position >= 0:
        yield position + 3
        position = data.find(START_CODE, position + 3)


def _h264(units: Iterator[memoryview]) -> Role:
    """ITU-T H.264 section 7.4.1: type 5 is an instantaneous decoding refresh, nal_ref_idc 0 is referred to by none.

    Recovery points (open groups of pictures) are no access points here: what follows one may look back across it.
    """
    pictures, refresh, referred = 0, False, False
    for unit in units:
        if len(unit) < 2:
            continue
        kind = unit[0] & 31
        if kind in (1, 5):
            pictures += unit[1] >> 7  # first_mb_in_slice is 0: a single 1 bit
            refresh |= kind == 5
            referred |= bool(unit[0] & 96)
        elif kind in (2, 3, 4):
            return Role.STRANGE  # data partitions
    if pictures != 1:
        return Role.STRANGE  # parameters alone, or two fields
    return Role.ACCESS if refresh else Role.NEEDED if referred else Role.DISPOSABLE


def _hevc(units: Iterator[memoryview]) -> Role:
    """ITU-T H.265 table 7-1: types 16 to 23 are intra random access points, 16 to 18 with a broken link.

    None is disposable: sub-layer non-reference pictures may still be looked at from higher temporal sub-layers.
    """
    pictures, access = 0, False
    for unit in units:
        if len(unit) < 3:
            continue
        kind = unit[0] >> 1 & 63
        if kind < 32 and not (unit[0] & 1 or unit[1] >> 3):  # a slice of the base layer
            pictures += unit[2] >> 7  # first_slice_segment_in_pic_flag
            access |= 19 <= kind <= 21
        if kind in (16, 17, 18, 36, 37):
            return Role.STRANGE  # frames that follow may be dropped
    if pictures != 1:
        return Role.STRANGE
    return Role.ACCESS if access else Role.NEEDED


def _mpeg2(data: memoryview, key: bool) -> Role:
    """ISO/IEC 13818-2 section 6.2.3: picture_coding_type 1 is I, 3 is B; decoding starts at a sequence header."""
    whole = bytes(data)
    starts = list(_start_codes(whole))
    pictures = [at for at in starts if whole[at : at + 1] == b"\x00"]
    if len(pictures) != 1 or len(whole) < pictures[0] + 3:
        return Role.STRANGE
    kind = whole[pictures[0] + 2] >> 3 & 7
    if kind == 1:
        return Role.ACCESS if any(whole[at : at + 1] == b"\xb3" for at in starts) else Role.NEEDED
    return Role.DISPOSABLE if kind == 3 else Role.NEEDED


def _mpeg4(data: memoryview, key: bool) -> Role:
    """ISO/IEC 14496-2 section 6.2.5: vop_coding_type 0 is I, 2 is B; two objects in a packet are a packed bitstream."""
    whole = bytes(data)
    objects = [at for at in _start_codes(whole) if whole[at : at + 1] == b"\xb6"]
    if len(objects) != 1 or len(whole) < objects[0] + 8:  # shorter ones are not coded: the last frame again, or none
        return Role.STRANGE
    kind = whole[objects[0] + 1] >> 6
    return Role.ACCESS if kind == 0 else Role.DISPOSABLE if kind == 2 else Role.NEEDED


def _vp8(data: memoryview, key: bool) -> Role:
    """RFC 6386 section 9.1: bit 0 is clear in a key frame, bit 4 set in a frame that is shown."""
    if not len(data):
        return Role.STRANGE
    role = Role.NEEDED if data[0] & 1 else Role.ACCESS
    return role if data[0] & 16 else role | Role.HIDDEN


def _vp9(data: memoryview, key: bool) -> Role:
    """VP9 bitstream specification, section 6.2 and annex B: a superframe shows its last frame alone."""
    if not len(data) or data[0] >> 6 != 2:
        return Role.STRANGE
    if data[0] >> 4 & 3 == 3:
        return Role.STRANGE  # profile 3 shifts the bits
    existing, inter, shown = data[0] & 8, data[0] & 4, data[0] & 2
    role = Role.NEEDED if existing or inter or not key else Role.ACCESS
    superframe = data[-1] >> 5 == 6
    return role if existing or shown or superframe else role | Role.HIDDEN
