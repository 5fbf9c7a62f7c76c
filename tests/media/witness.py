"""Whether a file is opened, by anything at all: the kernel says so (Linux)."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

IN_ACCESS, IN_OPEN = 0x1, 0x20
IN_NONBLOCK = os.O_NONBLOCK
AVAILABLE = sys.platform == "linux"


class Witness:
    """Watches a file from its making on."""

    def __init__(self, path: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = libc.inotify_init1(IN_NONBLOCK)
        assert libc.inotify_add_watch(self.descriptor, os.fsencode(path), IN_ACCESS | IN_OPEN) >= 0

    def opened(self) -> bool:
        """Whether the file was opened or read since the last call."""
        try:
            return bool(os.read(self.descriptor, 4096))
        except BlockingIOError:
            return False

    def close(self) -> None:
        """Watch no longer."""
        os.close(self.descriptor)
