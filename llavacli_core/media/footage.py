"""What names a clip (path, URL, bytes) -> something that every decoder can open for itself, a name, a hash."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import BinaryIO

from llavacli_core.errors import CoreError, InputTooLarge, UnreadableInput
from llavacli_core.media.names import shown
from llavacli_core.media.signature import HEAD, is_clip
from llavacli_core.media.source import NAMELESS, explained, local_path, open_regular, read_source

MAX_BYTES = 2**35  # 32 GiB: a clip on disk is read in pieces, never whole
PIECE = 2**20

ClipSource = str | PathLike[str] | bytes | bytearray | memoryview


@dataclass(frozen=True)
class Footage:
    """A clip's file, by its path, or its bytes; `head` is how it begins."""

    name: str
    sha256: str
    head: bytes
    content: str | bytes

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """The file from its first byte on, at a position of its own."""
        if isinstance(self.content, str):
            with open_regular(self.content, self.name) as file:
                yield file
        else:
            yield io.BytesIO(self.content)  # shares the bytes, copies none


def find_footage(source: ClipSource) -> Footage:
    """Hash a file in pieces, fetch a URL into memory, or take bytes as they are.

    Raises MissingInput, UnreadableInput (a folder, a pipe, a device, an empty file), InputTooLarge and UrlError.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _of_bytes(bytes(source), NAMELESS)
    name = os.fsdecode(source)
    path = local_path(name)
    if path is None:
        fetched = read_source(name)
        assert isinstance(fetched.data, bytes)
        return Footage(name, fetched.sha256, fetched.data[:HEAD], fetched.data)
    with explained(name), open_regular(path, name) as file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            raise _empty(name)
        if size > MAX_BYTES:
            raise InputTooLarge(
                f"{shown(name)}: the file has more than {MAX_BYTES / 2**30:.0f} GB", hint="cut the clip shorter first"
            )
        head = file.read(HEAD)
        file.seek(0)
        return Footage(name, _hashed(file), head, path)


def is_video(source: ClipSource) -> bool:
    """Whether a file, or the bytes of one, is a video, told by how it begins; animated pictures are pictures.

    Nothing is fetched: a URL is no video here, nor is what cannot be read. A file of video format may still turn out
    to hold nothing but sound.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return is_clip(bytes(source[:HEAD]))
    try:
        name = os.fsdecode(source)
        path = local_path(name)
        if path is None:
            return False
        with explained(name), open_regular(path, name) as file:
            return is_clip(file.read(HEAD))
    except CoreError:
        return False


def _hashed(file: BinaryIO) -> str:
    """SHA-256 of the rest of a file, read in pieces."""
    digest = hashlib.sha256()
    while piece := file.read(PIECE):
        digest.update(piece)
    return digest.hexdigest()


def _of_bytes(data: bytes, name: str) -> Footage:
    if not data:
        raise _empty(name)
    return Footage(name, hashlib.sha256(data).hexdigest(), data[:HEAD], data)


def _empty(name: str) -> UnreadableInput:
    return UnreadableInput(f"{shown(name)}: the file is empty", hint="give a video, such as an MP4 file")
