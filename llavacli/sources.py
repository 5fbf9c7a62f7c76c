"""What the user named: paths, URLs, and `-` for the bytes on stdin; each a picture or a clip."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from llavacli import stdin
from llavacli.endings import CLIP_ENDINGS
from llavacli.failures import UsageError

if TYPE_CHECKING:
    import llavacli_core as core

STDIN = "-"
STDIN_LIMIT = 2**29  # bytes, as the core's limit for a file: one more is read, and the core refuses it


@dataclass(frozen=True)
class Source:
    """A picture or a clip as it was named, and what the core is to open: a path, a URL, or bytes."""

    name: str
    content: str | bytes
    is_clip: bool = False


def is_url(name: str) -> bool:
    """Whether the core fetches it."""
    return name.lower().startswith(("http://", "https://"))


def url_path(url: str) -> str:
    """A URL without its query and its fragment: it ends as the file's name does."""
    return url.partition("#")[0].partition("?")[0]


def named(names: Sequence[str], *, animations: bool = False) -> list[Source]:
    """The sources in order; stdin is read for `-`, or when nothing is named and it is a pipe or a file.

    With `animations`, pictures of several frames (GIF, APNG, WebP) count as clips.
    """
    if not names:
        if not stdin.has_input():
            raise UsageError("no picture given", hint="name a file, a URL, or - for stdin; --help has examples")
        names = [STDIN]
    if names.count(STDIN) > 1:
        raise UsageError("stdin can be read only once", hint="give - once")
    sources = [Source(name, of_stdin() if name == STDIN else name) for name in names]
    return [replace(source, is_clip=_is_clip(source, animations=animations)) for source in sources]


def of_stdin() -> bytes:
    """A picture's or a clip's bytes on stdin; none where it cannot be read."""
    try:
        return stdin.read(STDIN_LIMIT)
    except OSError:
        return b""


def unreadable(source: Source) -> core.errors.InputError | None:
    """What can be told to be wrong without opening it, hence before a model is loaded."""
    import llavacli_core as core

    if source.content == b"":
        return core.errors.UnreadableInput(
            "stdin is empty", hint="pipe a picture into it: llavacli describe - < cat.jpg"
        )
    if isinstance(source.content, bytes) or "://" in source.content:
        return None
    if not source.content:
        return core.errors.MissingInput("a source's name is empty", hint="name a file, a URL, or - for stdin")
    try:
        mode = os.stat(source.content).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return core.errors.MissingInput(f"{source.name}: no such file", hint="check the path")
    except (OSError, ValueError) as error:
        return too_long(source.name, error)  # else it is there, but closed to us: the core says how
    if stat.S_ISDIR(mode):
        return core.errors.UnreadableInput(f"{source.name}: is a folder, not a picture", hint="name the pictures in it")
    if not stat.S_ISREG(mode):  # as the core says, to whose processes not all descriptors are handed on
        return core.errors.UnreadableInput(
            f"{source.name}: is not a regular file", hint="pipe it in, and give - as the source"
        )
    return None


def too_long(path: str, error: Exception) -> core.errors.InputError | None:
    """That a path is longer than the file system takes, if that is what an error says."""
    import llavacli_core as core

    if not isinstance(error, OSError) or error.errno != errno.ENAMETOOLONG:
        return None
    return core.errors.MissingInput(
        f"{path}: too long a name for the file system", hint="check the path, or name it from a folder nearer to it"
    )


def _is_clip(source: Source, *, animations: bool) -> bool:
    """Whether it is a clip, told by its content; a URL, whose content is the core's to fetch, by its ending."""
    import llavacli_core as core

    if isinstance(source.content, str) and is_url(source.content):
        path = url_path(source.content).lower()
        return path.endswith(CLIP_ENDINGS) or (animations and path.endswith(".gif"))
    if unreadable(source) is not None:
        return False
    return core.is_video(source.content) or (animations and core.is_animated(source.content))
