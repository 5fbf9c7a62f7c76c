"""What a file is, told by its first bytes: a picture's drawing or page by mistake, a clip, or an animation."""

from __future__ import annotations

HEAD = 4096  # bytes that tell

BY_PREFIX = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript drawing"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript drawing"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\x1f\x8b", "gzip-compressed data"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
)

LIST_BY_PREFIX = (
    (b"#EXTM3U", "a playlist"),
    (b"ffconcat", "a playlist"),
    (b"[playlist]", "a playlist"),
    (b"[Reference]", "a playlist"),
    (b"v=0\n", "a stream's description"),
    (b"v=0\r", "a stream's description"),
)

SOUND_BY_PREFIX = (b"ID3", b"fLaC", b"\xff\xfb", b"\xff\xf3", b"\xff\xf1", b"#!AMR", b".snd", b"OggS")

BY_MARKUP = (
    (b"<mpd", "a playlist"),
    (b"<svg", "an SVG drawing"),
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
)

CLIP_BY_PREFIX = (
    (b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (b"FLV\x01", "a Flash video"),
    (b"\x00\x00\x01\xba", "an MPEG video"),
    (b"\x00\x00\x01\xb3", "an MPEG video"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a Windows Media video"),
    (b"DKIF", "an IVF video"),
    (b"YUV4MPEG2 ", "a YUV4MPEG video"),
)

STILL_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis")
SOUND_BRANDS = (b"M4A ", b"M4B ", b"M4P ")
ATOMS = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"moof", b"styp")  # QuickTime files that skip `ftyp`
OGG_VIDEO = (b"\x80theora", b"\x01video", b"BBCD\x00", b"OVP80")
TS_PACKETS = ((188, 0), (192, 4), (204, 0))  # bytes of a packet, and where in it the sync byte is
TS_SYNC = 0x47


def seems(data: bytes) -> str | None:
    """What `data` looks like, with its article ("a PDF document"); None for nothing that is known here."""
    for prefix, kind in BY_PREFIX + LIST_BY_PREFIX:
        if data.startswith(prefix):
            return kind
    if (kind_of_clip := clip_kind(data)) is not None:
        return kind_of_clip
    if is_sound(data):
        return "a sound file"
    if data[4:8] == b"ftyp":
        return "a HEIC or AVIF picture"
    return _markup(data)


def is_list(data: bytes) -> bool:
    """Whether it names other files or addresses to play: a playlist, a stream's description."""
    return _markup(data) == "a playlist" or any(data.startswith(prefix) for prefix, _ in LIST_BY_PREFIX)


def is_sound(data: bytes) -> bool:
    """Whether it is sound alone; a video format that holds nothing else does not say so at its beginning."""
    if clip_kind(data) is not None:
        return False
    chunk = data[:4], data[8:12]
    return (
        data.startswith(SOUND_BY_PREFIX)
        or (data[4:8] == b"ftyp" and data[8:12] in SOUND_BRANDS)
        or chunk in ((b"RIFF", b"WAVE"), (b"FORM", b"AIFF"), (b"FORM", b"AIFC"))
    )


def _markup(data: bytes) -> str | None:
    """The kind of text between angle brackets, if it is any."""
    start = data[:1024].lower()
    if not start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return None
    return next((kind for tag, kind in BY_MARKUP if tag in start), "an XML document")


def is_clip(data: bytes) -> bool:
    """Whether a file that begins with `data` (its first `HEAD` bytes suffice) is a video; animations are pictures."""
    return clip_kind(data) is not None


def is_animation(data: bytes) -> bool:
    """Whether it is of a picture format that may hold several frames: GIF, PNG, WebP, AVIF."""
    if data[4:8] == b"ftyp":
        return data[8:12] in STILL_BRANDS
    webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    return webp or data.startswith((b"GIF8", b"\x89PNG\r\n\x1a\n"))


def begins_as_picture(data: bytes) -> bool:
    """Whether it is of a picture format that is often met, by its first bytes; some text begins so, too."""
    return is_animation(data) or data.startswith((b"\xff\xd8\xff", b"BM", b"II*\x00", b"MM\x00*"))


def clip_kind(data: bytes) -> str | None:
    """The kind of video, with its article; None for anything else."""
    for prefix, kind in CLIP_BY_PREFIX:
        if data.startswith(prefix):
            return kind
    if data[4:8] == b"ftyp":
        return None if data[8:12] in STILL_BRANDS + SOUND_BRANDS else "an MP4 or QuickTime video"
    if data[4:8] in ATOMS:
        return "an MP4 or QuickTime video"
    if data[:4] == b"RIFF" and data[8:12] == b"AVI ":
        return "an AVI video"
    if data.startswith(b"OggS"):
        return "an Ogg video" if any(mark in data[:HEAD] for mark in OGG_VIDEO) else None
    return "an MPEG video" if _is_transport_stream(data) else None


def _is_transport_stream(data: bytes) -> bool:
    """Whether sync bytes stand where three packets of an MPEG transport stream begin."""
    return any(
        len(data) > offset + 2 * size and all(data[offset + n * size] == TS_SYNC for n in range(3))
        for size, offset in TS_PACKETS
    )
