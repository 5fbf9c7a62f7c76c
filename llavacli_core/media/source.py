"""What names a picture (path, URL, bytes, PIL image) -> its data, a name to show, and a hash of its content."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import BinaryIO
from urllib.parse import urlsplit

from PIL import Image

from llavacli_core.errors import InputTooLarge, MissingInput, UnreadableInput, UrlError
from llavacli_core.media.names import shown, wanted
from llavacli_core.media.picture import decode

MAX_BYTES = 2**29
NAMELESS = "-"  # what came through a pipe, or was handed over in memory

SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """`data` is a file's bytes, or an upright RGB picture; `sha256` is of the bytes, or of the size and the pixels."""

    name: str
    sha256: str
    data: bytes | Image.Image


def read_source(source: str | PathLike[str] | bytes | Image.Image, *, max_bytes: int = MAX_BYTES) -> Source:
    """Read a picture's file, fetch its URL, or take what is in memory already.

    Raises MissingInput, UnreadableInput (a folder, a pipe, a device, an empty file, no permission), InputTooLarge
    beyond `max_bytes`, and UrlError. A path may hold any bytes; a leading `~` is the shell's to expand.
    """
    if isinstance(source, Image.Image):
        return _of_picture(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _of_bytes(bytes(source), NAMELESS, max_bytes)
    if not isinstance(source, (str, PathLike)):
        raise UnreadableInput(
            f"a picture cannot be read from a {type(source).__name__}", hint="give a path, a URL, bytes or a PIL image"
        )
    name = os.fsdecode(source)
    path = local_path(name)
    if path is not None:
        return _of_bytes(_read(path, name, max_bytes), name, max_bytes)
    from llavacli_core.media.fetch import fetch  # only those who fetch pay for urllib and ssl

    return _of_bytes(fetch(name, max_bytes=min(max_bytes, MAX_BYTES)), name, max_bytes)


def local_path(name: str) -> str | None:
    """The path that a name or a file:// URL means; None for an http(s) URL. Raises UrlError for other URLs."""
    scheme = SCHEME.match(name)
    if scheme is None or os.path.exists(name):
        return name
    match scheme[1].lower():
        case "http" | "https":
            return None
        case "file":
            return _path_of(name)
        case other:
            raise UrlError(f"{shown(name)}: {other} URLs are not supported", hint="use http, https or a path")


def _of_bytes(data: bytes, name: str, max_bytes: int) -> Source:
    if not data:
        raise UnreadableInput(f"{shown(name)}: the file is empty", hint=wanted(name))
    if len(data) > max_bytes:
        raise _too_large(name, max_bytes)
    return Source(name, hashlib.sha256(data).hexdigest(), data)


def _of_picture(image: Image.Image) -> Source:
    """A PIL image under the name of the file it was opened from, if any."""
    name = os.fsdecode(getattr(image, "filename", "") or NAMELESS)
    picture = decode(image, name)
    digest = hashlib.sha256(f"RGB {picture.width}x{picture.height}\n".encode())
    digest.update(picture.tobytes())
    return Source(name, digest.hexdigest(), picture)


def open_regular(path: str, name: str) -> BinaryIO:
    """A regular file, open; anything else is refused before it is opened, as opening a pipe may wait forever.

    Raises MissingInput and UnreadableInput; so does reading it inside `explained`.
    """
    with explained(name):
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise UnreadableInput(f"{shown(name)}: is a folder, not a picture", hint="name the pictures in it")
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableInput(f"{shown(name)}: is not a regular file", hint="pipe it in, and give - as the source")
        return open(path, "rb")


@contextmanager
def explained(name: str) -> Iterator[None]:
    """What the system says against opening or reading a file becomes MissingInput or UnreadableInput."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        hint = "only the shell expands ~; write the path out" if name.startswith("~") else "check the path"
        raise MissingInput(f"{shown(name)}: no such file", hint=hint) from error
    except PermissionError as error:
        raise UnreadableInput(f"{shown(name)}: permission denied", hint="make the file readable") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte, which no path can hold
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableInput(f"{shown(name)}: cannot be read ({reason})", hint="check the path") from error


def _read(path: str, name: str, max_bytes: int) -> bytes:
    """The bytes of a regular file."""
    with explained(name), open_regular(path, name) as file:
        if os.fstat(file.fileno()).st_size > max_bytes:
            raise _too_large(name, max_bytes)
        return file.read(max_bytes + 1)  # one more, to notice a file that grows


def _path_of(url: str) -> str:
    """The local path that a file:// URL names."""
    from urllib.request import url2pathname

    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UrlError(f"{shown(url)}: {error}", hint="check the address") from error
    if parts.netloc not in ("", "localhost"):
        raise UrlError(f"{shown(url)}: names a file on another machine", hint="copy it here, and give its path")
    return url2pathname(parts.path)


def _too_large(name: str, max_bytes: int) -> InputTooLarge:
    return InputTooLarge(
        f"{shown(name)}: the file has more than {max_bytes / 2**20:.0f} MB", hint="scale the picture down first"
    )
