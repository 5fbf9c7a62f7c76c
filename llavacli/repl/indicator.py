"""A word on the terminal while nothing comes yet; it goes without a trace."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from llavacli.repl.terminal import columns
from llavacli.streams import Output

PATIENCE = 0.3  # seconds: an answer that begins sooner than this needs no word
ERASE = "\r\x1b[K"


class Indicator:
    """Tells how long the first word has been awaited, from a thread of its own; `erase` ends it."""

    def __init__(self, output: Output, word: str) -> None:
        self._output = output
        self._word, self._every = word, 1.0
        self._lock = threading.RLock()  # Ctrl-Z's handler may come while this thread has it
        self._ended = threading.Event()
        self._shown = False
        self._began = time.monotonic()

    def start(self) -> None:
        """Begin to wait."""
        threading.Thread(target=self._tell, daemon=True).start()

    def say(self, word: str, *, every: float) -> None:
        """Tell this from now on, each so many seconds. Takes no lock, since a signal's handler may call it."""
        self._word, self._every = word, every

    def erase(self) -> None:
        """Take the word away, for good. After this nothing more is written."""
        self._ended.set()
        self.hide()

    def hide(self) -> None:
        """Take the word away, until it is told again."""
        with self._lock:
            if self._shown:
                self._output.write(ERASE)
                self._shown = False

    def _tell(self) -> None:
        """Write the word again and again; what does not fit into a line is not written at all."""
        wait = PATIENCE
        while not self._ended.wait(wait):
            text = f"{self._word} {time.monotonic() - self._began:.0f} s"
            with self._lock:
                if not self._ended.is_set() and len(text) < columns():
                    self._output.write(f"{ERASE}{dim(text, self._output)}")
                    self._shown = True
            wait = self._every


@contextmanager
def indicated(output: Output, word: str, *, wanted: bool) -> Iterator[Indicator]:
    """An indicator that is gone with the block; one that was not `wanted` stays silent."""
    indicator = Indicator(output, word)
    if wanted:
        indicator.start()
    try:
        yield indicator
    finally:
        indicator.erase()


def dim(text: str, output: Output) -> str:
    """What is not the answer stands back from it."""
    return f"\x1b[2m{text}\x1b[0m" if output.colored else text
