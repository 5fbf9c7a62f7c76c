"""Pillow's warnings kept off stderr while pictures are opened, in however many threads."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


class _Silence:
    """How many threads are inside, and what brings the warning filters back when the last one leaves.

    Filters belong to the whole process, and `catch_warnings` brings the wrong ones back where threads overlap: hence
    one filter, in with the first and out with the last.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.restore = ExitStack()

    def enter(self) -> None:
        with self.lock:
            if self.inside == 0:
                self.restore.enter_context(warnings.catch_warnings())
                warnings.filterwarnings("ignore", module=r"PIL\.")
            self.inside += 1

    def leave(self) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                self.restore.close()


_silence = _Silence()  # as process-wide as the filters it guards


@contextmanager
def quiet() -> Iterator[None]:
    """No warning that Pillow raises is shown inside."""
    _silence.enter()
    try:
        yield
    finally:
        _silence.leave()
