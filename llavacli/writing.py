"""Files written whole or not at all."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from llavacli.streams import cannot_write


def write_file(path: str, data: bytes) -> None:
    """Put `data` into a file that appears, or is replaced, at once; a pipe or a device is simply written to.

    Raises OutputError. A link is followed; a file that is replaced keeps its permissions.
    """
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # /dev/stdout is a link that leads nowhere by name
            with open(path, "wb") as file:
                file.write(data)
        else:
            _replace(os.path.realpath(path), data)
    except OSError as error:
        raise cannot_write(path, error) from error


def sync_folder(path: str) -> None:
    """Have the names in a folder on disk, too: a file is there after a power cut only if its name is."""
    with suppress(OSError):  # Windows opens no folder, and some file systems take no such order
        fd = os.open(path or ".", os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _replace(target: str, data: bytes) -> None:
    """Write beside the target, then take its name; whatever fails, nothing is left behind."""
    folder = os.path.dirname(target)
    beside = os.path.join(folder, f".llavacli.{os.getpid()}.part")
    try:
        with open(beside, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            os.chmod(beside, stat.S_IMODE(os.stat(target).st_mode))
        os.replace(beside, target)
        sync_folder(folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise
