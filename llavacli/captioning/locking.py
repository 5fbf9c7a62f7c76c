"""One run at a time on one output: locks that the system lets go of when their process ends, however it does."""

from __future__ import annotations

import errno
import os

from llavacli.failures import BUSY
from llavacli.streams import OutputError

try:
    import fcntl
except ImportError:  # Windows: runs are not kept apart
    fcntl = None  # type: ignore[assignment]

UNSUPPORTED = {errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}  # of some network file systems


def lock(fd: int, title: str, *, shared: bool = False) -> None:
    """Take the lock of an open file or folder, or raise OutputError: exit code 75."""
    if fcntl is None:
        return
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OutputError(
            f"{title}: another run is writing there", BUSY, hint="wait until it has ended, or write elsewhere"
        ) from error
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise


def is_at(fd: int, path: str) -> bool:
    """Whether a path still leads to an open file: another run may have replaced or removed it."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except OSError:  # gone, or behind what has become closed
        return False


def allow_many_files() -> None:
    """Let this process hold as many files open as it may: each folder with sidecars is locked."""
    try:
        import resource
    except ImportError:
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY:
        most = 2**16
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except (OSError, ValueError):
        return  # then it stays as it is, and many folders may be too many
