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
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyte

Before = Callable[[], None]
Talk = Callable[..., "Chat"]
SECONDS = 60.0  # before a wait is in vain: machines are busy


class Chat:
    """`llavacli chat` as it runs, with what it wrote (`shown`) and what is to be seen of it (`text`)."""

    def __init__(
        self, *args: str, before: Before | None = None, shell: bool = False, columns: int = 80, lines: int = 24
    ) -> None:
        self.master, slave = pty.openpty()
        self.slave = os.dup(slave)  # so that the modes can be read when the process has gone
        self.found = termios.tcgetattr(slave)
        self.screen = pyte.HistoryScreen(columns, lines, history=5000, ratio=1.0)
        self.screen.write_process_input = self.type  # where the cursor is, when asked
        self.stream = pyte.ByteStream(self.screen)
        self.shown = b""
        self.exit_code: int | None = None
        self.resize(columns, lines)
        self.pid = os.fork()
        if self.pid == 0:
            _become(["chat", *args], slave, self.master, before, shell=shell)
        os.close(slave)

    @property
    def text(self) -> str:
        """All that can be scrolled back to, and the screen."""
        above = [
            "".join(line[column].data for column in range(self.screen.columns)) for line in self.screen.history.top
        ]
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
            return not self.has_gone()
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
        while not self.has_gone():
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
        if self.master < 0:
            return
        if not self.has_gone():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.slave)
        with suppress(OSError):
            os.close(self.master)
        self.master = -1

    def has_gone(self) -> bool:
        """Whether the process has ended; then `exit_code` is known."""
        if self.exit_code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self.exit_code = 128 - code if code < 0 else code
        return self.exit_code is not None


def scripted(
    pieces: Sequence[str],
    *,
    until_stopped: str | None = None,
    gate: Path | None = None,
    first: int = 1,
    fault: str | None = None,
    deaf: bool = False,
    pause: float = 0.0,
) -> Before:
    """Have the model answer `pieces` whatever is asked: what to do before the chat begins.

    Asked something that begins with `until_stopped`, it does not end by itself; with `gate`, the `first` pieces alone
    come until that file is there; asked `fault`, it breaks; `deaf`, it ends for no one. Before each piece it takes
    `pause` seconds.
    """

    def answer(
        _self: object, request: Any, sampling: Any, _memory: object = None, *, stopped: Callable[[], bool]
    ) -> Iterator[object]:
        import llavacli_core as core

        asked = request.prompt_text.removesuffix(" ASSISTANT:").rpartition("USER:")[2].split("\n")[-1].strip()
        if asked == fault:
            raise RuntimeError("something broke")
        for index, piece in enumerate(pieces):
            while index == first and gate is not None and not gate.exists():
                time.sleep(0.005)
            time.sleep(pause)
            yield core.Text(piece)
        endless = until_stopped is not None and asked.startswith(until_stopped)
        while deaf or (endless and not stopped()):
            time.sleep(0.005)
        count = len(request.token_ids)
        yield core.Done(
            text="".join(pieces),
            token_ids=tuple(range(len(pieces))),
            finish_reason="interrupted" if stopped() else "stop",
            prompt_text=request.prompt_text,
            images=request.images,
            videos=request.videos,
            usage=core.Usage(prompt_tokens=count, image_tokens=0, cached_tokens=0, completion_tokens=len(pieces)),
            timing=core.Timing(prepare=1.0, vision=2.0, prefill=3.0, decode=4.0, total=10.0),
        )

    def before() -> None:
        from llavacli_core.engine.engine import Engine

        Engine.answer = answer  # type: ignore[method-assign,assignment]

    return before


def _become(args: Sequence[str], slave: int, master: int, before: Before | None, *, shell: bool) -> None:
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
        if shell:
            _control_jobs()
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


def _control_jobs() -> None:
    """Be a shell with one job, which goes on from here: it says when that stopped, and waits for a line to go on."""
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    modes = termios.tcgetattr(0)
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        return
    while True:
        _, status = os.waitpid(job, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            os._exit(os.waitstatus_to_exitcode(status))
        os.tcsetpgrp(0, os.getpid())
        os.write(1, b"\r\nstopped, as found\r\n" if termios.tcgetattr(0) == modes else b"\r\nstopped\r\n")
        os.read(0, 100)
        os.tcsetpgrp(0, job)
        os.killpg(job, signal.SIGCONT)
