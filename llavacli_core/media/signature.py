"""What a file that is no readable picture seems to be, told by its first bytes."""

from __future__ import annotations

BY_PREFIX = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript drawing"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript drawing"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\x1f\x8b", "gzip-compressed data"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (b"FLV\x01", "a Flash video"),
    (b"\x00\x00\x01\xba", "an MPEG video"),
    (b"\x00\x00\x01\xb3", "an MPEG video"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
)

BY_MARKUP = (
    (b"<svg", "an SVG drawing"),
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
)

STILL_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis")


def seems(data: bytes) -> str | None:
    """What `data` looks like, with its article ("a PDF document"); None for nothing that is known here."""
    for prefix, kind in BY_PREFIX:
        if data.startswith(prefix):
            return kind
    if data[4:8] == b"ftyp":
        return "a HEIC or AVIF picture" if data[8:12] in STILL_BRANDS else "an MP4 or QuickTime video"
    if data[:4] == b"RIFF" and data[8:12] == b"AVI ":
        return "an AVI video"
    start = data[:1024].lower()
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return next((kind for tag, kind in BY_MARKUP if tag in start), "an XML document")
    return None
