"""What the user named: paths, URLs, and `-` for the bytes on stdin."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llavacli import streams
from llavacli.failures import UsageError

if TYPE_CHECKING:
    import llavacli_core as core

STDIN = "-"
STDIN_LIMIT = 2**29  # bytes, as the core's limit for a file: one more is read, and the core refuses it


@dataclass(frozen=True)
class Source:
    """A picture as it was named, and what the core is to open: a path, a URL, or bytes."""

    name: str
    content: str | bytes


def is_url(name: str) -> bool:
    """Whether the core fetches it."""
    return name.lower().startswith(("http://", "https://"))


def named(names: Sequence[str]) -> list[Source]:
    """The sources in order; stdin is read for `-`, or when nothing is named and it is a pipe or a file."""
    if not names:
        if not streams.stdin_has_input():
            raise UsageError(
                "no picture given", hint="name a file, a URL, or - for stdin; see llavacli describe --help"
            )
        names = [STDIN]
    if names.count(STDIN) > 1:
        raise UsageError("stdin can be read only once", hint="give - once")
    return [Source(name, streams.read_stdin(STDIN_LIMIT) if name == STDIN else name) for name in names]


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
    except (OSError, ValueError):
        return None  # there, but closed to us: the core says how
    if stat.S_ISDIR(mode):
        return core.errors.UnreadableInput(f"{source.name}: is a folder, not a picture", hint="name the pictures in it")
    return None
