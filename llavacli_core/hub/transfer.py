"""One file from the Hub to disk: resumed where an earlier run broke off, hashed as it comes, tried again on the way.

By HTTP ranges and not huggingface_hub's own download, which begins anew after a kill (docs/decisions).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from llavacli_core.errors import CheckpointError
from llavacli_core.hub.digest import Digest, chunks
from llavacli_core.hub.remote import RemoteFile, opened

TRIES = 5  # without a new byte
PAUSE = 1.0  # seconds before the second try; before each one after it twice as many, up to 8
PASSING = (408, 429, 500, 502, 503, 504)  # statuses that may be over soon

Report = Callable[[int], None]  # so many bytes more; less than 0 where some are dropped


class Stopped(Exception):
    """The download was given up; what has come is kept."""


def transfer(file: RemoteFile, partial: Path, report: Report, stopped: threading.Event) -> None:
    """Fill `partial` up to the whole file. Raises CheckpointError if what came is not what the Hub lists."""
    partial.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(partial, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0) as out:
        resumed = _fill(file, out, report, stopped)
        if resumed is None:
            return
        report(-file.size)
        out.truncate(0)
        out.seek(0)
        if resumed and _fill(file, out, report, stopped) is None:  # what was there before may have been bad
            return
    partial.unlink(missing_ok=True)
    raise CheckpointError(
        f"{file.name} arrived damaged: it is not what the Hub lists",
        hint="pull again; if it stays so, the mirror is bad",
    )


def _fill(file: RemoteFile, out: BinaryIO, report: Report, stopped: threading.Event) -> bool | None:
    """Append what is lacking. None if the whole is as it should be, else whether part of it was there before."""
    if os.fstat(out.fileno()).st_size > file.size:
        out.truncate(0)
    digest, have = Digest(file.etag, file.size), 0
    for chunk in chunks(out):
        digest.update(chunk)
        have += len(chunk)
        report(len(chunk))
        if stopped.is_set():
            raise Stopped
    was, tries = have > 0, 0
    while have < file.size:
        before = have
        try:
            have += _stream(file, out, have, digest, report, stopped)
        except Again as again:
            if again.have == before:
                tries += 1
            else:
                tries = 0
            have = again.have
            if tries == TRIES:
                raise again.error from None
            if stopped.wait(min(PAUSE * 2 ** (tries - 1), 8.0)):
                raise Stopped from None
        else:
            if have == before:
                break  # the server has no more
    return None if have == file.size and digest.agrees else was


class Again(Exception):
    """The connection failed with so many bytes had; it may be well the next time."""

    def __init__(self, have: int, error: Exception) -> None:
        super().__init__()
        self.have, self.error = have, error


def _stream(
    file: RemoteFile, out: BinaryIO, start: int, digest: Digest, report: Report, stopped: threading.Event
) -> int:
    """Write what the server sends from `start` on; gives how many bytes. Raises `Again` for what may pass."""
    from huggingface_hub import errors

    have = start
    try:
        with opened(file.url, start) as answer:
            skip = start if answer.status_code == 200 else 0  # it heeds no ranges: what is here already goes by
            for chunk in answer.iter_bytes():
                if stopped.is_set():
                    raise Stopped
                fresh = chunk[skip:] if skip else chunk
                skip = max(skip - len(chunk), 0)
                fresh = fresh[: file.size - have]
                if fresh:
                    _write(out, fresh)
                    digest.update(fresh)
                    have += len(fresh)
                    report(len(fresh))
    except errors.HfHubHTTPError as error:
        if error.response.status_code in PASSING:
            raise Again(have, error) from error
        raise
    except Exception as error:  # the transport's own errors: which they are depends on huggingface_hub's version
        if isinstance(error, Stopped) or is_of_disk(error):
            raise
        raise Again(have, error) from error
    return have - start


def is_of_disk(error: BaseException | None) -> bool:
    """Whether an error is of the file system, and not of the connection."""
    from huggingface_hub import errors

    return isinstance(error, OSError) and not isinstance(error, errors.HfHubHTTPError | ConnectionError | TimeoutError)


def _write(out: BinaryIO, data: bytes) -> None:
    """All of `data`, of which a nearly full disk may take but a part at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[out.write(rest) :]
