"""How the names of pictures and clips end. Content decides what a file is; these say what a name promises."""

from __future__ import annotations

CLIP_ENDINGS = (".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".ogv", ".ts", ".flv", ".wmv")
PICTURE_ENDINGS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".webp", ".bmp", ".dib", ".tif", ".tiff"),
    *(".avif", ".ppm", ".pgm", ".pbm", ".pnm", ".qoi", ".ico", ".icns", ".tga", ".jp2", ".j2k", ".psd"),
    *(".heic", ".heif", ".jxl", ".svg", ".dng", ".cr2", ".nef", ".arw"),  # pictures to people, if not to every reader
)
SHARED_ENDINGS = (".ts",)  # more often the ending of something else: such a name alone promises nothing


def promises_picture(name: str) -> bool:
    """Whether a name ends like a picture's."""
    return _ends(name, PICTURE_ENDINGS)


def promises_clip(name: str) -> bool:
    """Whether a name ends like a clip's."""
    return _ends(name, CLIP_ENDINGS)


def promises(name: str) -> bool:
    """Whether a name ends like a picture's or a clip's, and hardly like anything else's."""
    return _ends(name, PICTURE_ENDINGS + CLIP_ENDINGS) and not _ends(name, SHARED_ENDINGS)


def _ends(name: str, endings: tuple[str, ...]) -> bool:
    """Whether it has one of the endings, and something before it: `.png` alone is a word about pictures."""
    name = name.lower()
    return any(name.endswith(ending) and name[: -len(ending)].rpartition("/")[2] != "" for ending in endings)
