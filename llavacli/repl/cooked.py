"""The line the user types, edited by the terminal itself: without a single escape sequence."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable

from llavacli.render.text import escaped
from llavacli.repl.prompt import SIGN
from llavacli.repl.terminal import echo
from llavacli.signals import Stopper
from llavacli.streams import Output


class _Dropped(BaseException):
    """A signal came while a line was being typed; `BaseException`, so that nobody takes it for an error."""


class CookedPrompt:
    """Reads lines as the terminal gives them; one that ends in a backslash goes on in the next."""

    typed = False  # nobody can tell what was, of a line that Ctrl-C cleared

    def __init__(self, output: Output, stopper: Stopper, pressed: Callable[[], bool]) -> None:
        """`pressed` tells, once, whether Ctrl-C came before the line."""
        self._output = output
        self._stopper = stopper
        self._pressed = pressed
        self._rest = b""  # what was read beyond the line

    def read(self, default: str = "") -> str:
        """What was typed. Raises KeyboardInterrupt (Ctrl-C), EOFError, Interrupted (another signal).

        `default` cannot be put into the terminal's own line: it is shown, and an empty line stands for it.
        """
        if default:
            self._output.write(f"{default}\n")
        lines: list[str] = []
        while True:
            line = self._line(SIGN if not lines else "  ")
            if not line.endswith("\\"):
                break
            lines.append(line[:-1])
        return "\n".join([*lines, line]) or default

    def _line(self, sign: str) -> str:
        """One line, without its end."""
        self._output.write(sign)
        ahead = self._is_there()
        try:
            with echo(), self._stopper.interruptible(_drop):
                if self._pressed():
                    _drop()
                data = self._read()
        except _Dropped:
            self._output.write("\n")
            self._stopper.check()
            raise KeyboardInterrupt from None
        line = data.decode("utf-8", "surrogateescape")
        if ahead:  # it was typed unseen, while an answer was on its way
            self._output.write(f"{escaped(line)}\n")
        return line

    def _is_there(self) -> bool:
        """Whether a line waits already."""
        return b"\n" in self._rest or bool(select.select([0], [], [], 0)[0])

    def _read(self) -> bytes:
        """The bytes of a line."""
        assert sys.__stdin__ is not None  # a terminal
        fd = sys.__stdin__.fileno()
        data = self._rest
        while b"\n" not in data:
            piece = os.read(fd, 4096)
            if not piece:
                if data:
                    break
                raise EOFError
            data += piece
        line, _, self._rest = data.partition(b"\n")
        return line


def _drop() -> None:
    """Give up the line."""
    raise _Dropped
