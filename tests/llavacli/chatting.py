"""A chat on a pseudo-terminal of its own, and the screen that a person would look at.

The process is a fork of this one, in which torch is loaded already: a chat begins in a fraction of a second.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pyte

Before = Callable[[], None]
SECONDS = 60.0  # before a wait is in vain: machines are busy


class Chat:
    """`llavacli chat` as it runs, with what it wrote (`shown`) and what is to be seen of it (`text`)."""

    def __init__(
        self, *args: str, before: Before | None = None, command: str = "chat", columns: int = 80, lines: int = 24
    ) -> None:
        self.master, slave = pty.openpty()
        self.slave = os.dup(slave)  # so that the modes can be read when the process has gone
        self.found = termios.tcgetattr(slave)
        self.screen = pyte.HistoryScreen(columns, lines, history=5000, ratio=1.0)
        self.screen.write_process_input = lambda data: self.type(data)  # where the cursor is, when asked
        self.stream = pyte.ByteStream(self.screen)
        self.shown = b""
        self.exit_code: int | None = None
        self.resize(columns, lines)
        self.pid = os.fork()
        if self.pid == 0:
            _become([command, *args], slave, self.master, before)
        os.close(slave)

    @property
    def text(self) -> str:
        """All that can be scrolled back to, and the screen."""
        above = ["".join(line[column].data for column in range(self.screen.columns)) for line in self.screen.history.top]
        return "\n".join(line.rstrip() for line in (*above, *self.screen.display)).rstrip()

    def type(self, keys: str) -> None:
        """Press keys."""
        with suppress(OSError):  # it has gone
            os.write(self.master, keys.encode("utf-8", "surrogateescape"))

    def paste(self, text: str) -> None:
        """Paste, as terminals do that tell."""
        self.type(f"\x1b[200~{text}\x1b[201~")

    def send(self, line: str, answer: str | None = None) -> None:
        """Type a line and press Enter; wait for the `answer` and the next prompt."""
        before = self.prompts()
        self.type(f"{line}\r")
        if answer is not None:
            self.wait_for(answer)
        self.wait_until(lambda: self.prompts() > before and self.waits())

    def prompts(self) -> int:
        """How many prompts have been shown."""
        return self.shown.count(b"\x1b[?2004h")

    def waits(self) -> bool:
        """Whether it waits for a line: the last thing on the screen is an empty prompt above the status line."""
        return self.shown.rfind(b"\x1b[?2004h") > self.shown.rfind(b"\x1b[?2004l")

    def wait_for(self, text: str) -> None:
        """Read until `text` is to be seen."""
        self.wait_until(lambda: text in self.text, repr(text))

    def wait_until(self, holds: Callable[[], bool], what: str = "it") -> None:
        """Read until something holds."""
        end = time.monotonic() + SECONDS
        while not holds():
            assert time.monotonic() < end, f"waited in vain for {what}:\n{self.text}"
            assert self.read(0.05) or holds(), f"it has gone, without {what}:\n{self.text}"

    def read(self, seconds: float) -> bool:
        """Take what appears within some time; False when the process has gone."""
        if not select.select([self.master], [], [], seconds)[0]:
            return not self._gone()
        try:
            piece = os.read(self.master, 65536)
        except OSError:
            return False
        self.shown += piece
        self.stream.feed(piece)
        return True

    def resize(self, columns: int, lines: int) -> None:
        """Change the window's size."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.screen.resize(lines, columns)

    def kill(self, signum: int) -> None:
        """Send a signal."""
        os.kill(self.pid, signum)

    def end(self) -> int:
        """Read to the end; the exit code, as a shell has it."""
        end = time.monotonic() + SECONDS
        while not self._gone():
            assert time.monotonic() < end, f"it does not end:\n{self.text}"
            self.read(0.05)
        while select.select([self.master], [], [], 0)[0] and self.read(0):
            pass
        assert self.exit_code is not None
        return self.exit_code

    def modes(self) -> list[Any]:
        """The terminal's modes now."""
        return termios.tcgetattr(self.slave)

    def close(self) -> None:
        """Leave nothing behind."""
        if not self._gone():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.slave)
        with suppress(OSError):
            os.close(self.master)

    def _gone(self) -> bool:
        """Whether the process has ended; then `exit_code` is known."""
        if self.exit_code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self.exit_code = 128 - code if code < 0 else code
        return self.exit_code is not None


def _become(args: Sequence[str], slave: int, master: int, before: Before | None) -> None:
    """Be llavacli from here on, with the terminal as the three standard streams."""
    code = 99
    try:
        os.close(master)
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for fd in (0, 1, 2):
            os.dup2(slave, fd)
        os.closerange(3, 256)
        sys.stdin = sys.__stdin__ = open(0, closefd=False)  # noqa: SIM115 - for as long as the process lives
        sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = sys.__stderr__ = open(2, "w", closefd=False)  # noqa: SIM115
        sys.argv = ["llavacli", *args]
        import torch

        torch.set_num_threads(1)  # the threads of the process that forked are not here
        if before is not None:
            before()
        from llavacli.__main__ import main

        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        import traceback

        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)
