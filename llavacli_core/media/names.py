"""Names of pictures and videos: as error messages show them, on one line, and what their endings promise."""

from __future__ import annotations

LONGEST = 200
VIDEO_ENDINGS = (".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".ogv", ".flv", ".wmv")


def shown(name: str) -> str:
    """`name` with control characters and undecodable bytes escaped, and its middle left out where it is very long."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST // 2]}…{text[-LONGEST // 2 :]}"


def promises_video(name: str) -> bool:
    """Whether a name, or a URL's path, ends as those of videos do. Content decides; this is for what a hint says."""
    return name.partition("?")[0].partition("#")[0].lower().endswith(VIDEO_ENDINGS)


def wanted(name: str) -> str:
    """What to give in place of a file that is none such, as a hint."""
    return "give a video, such as an MP4 file" if promises_video(name) else "give a picture, such as a JPEG or PNG file"
