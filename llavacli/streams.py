"""The streams that are written: data to stdout as bytes, notes to stderr in single lines."""

from __future__ import annotations

import errno
import os
import sys
from typing import Literal

from llavacli.failures import CANNOT_WRITE, READER_GONE, Failure
from llavacli.render.text import escaped

Color = Literal["auto", "always", "never"]


MAKE_ROOM = "write elsewhere, or make room"
_REMEDIES = {  # by what the system says against writing a file
    errno.ENOENT: "make its folder first",
    errno.ENOTDIR: "make its folder first",
    errno.EACCES: "write where you may, or change the permissions",
    errno.EPERM: "write where you may, or change the permissions",
    errno.EROFS: "write elsewhere: nothing there can be changed",
    errno.ENAMETOOLONG: "shorten its name",
}


class OutputError(Exception):
    """stdout or a file takes no more; `exit_code` says why."""

    def __init__(self, message: str, exit_code: int, *, hint: str = MAKE_ROOM) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.hint = hint


def closed() -> OutputError:
    """There is no stdout."""
    return OutputError("standard output is closed", CANNOT_WRITE)


class Output:
    """stdout: UTF-8 whatever the locale, written through at once, so that nothing is left to flush at exit."""

    def __init__(self, color: Color = "auto") -> None:
        if sys.__stdout__ is None:
            raise closed()
        self._fd = sys.__stdout__.fileno()
        self.is_terminal = os.isatty(self._fd)
        self.colored = colored(color, self.is_terminal)

    def write(self, text: str) -> None:
        """Write all of `text`; undecodable bytes of file names become those bytes again."""
        self.write_bytes(_encoded(text))

    def write_bytes(self, data: bytes) -> None:
        """Write all of `data`."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[_write_some(self._fd, rest) :]
        except OSError as error:
            raise output_error(error) from error


class Notes:
    """stderr: one line each, control characters escaped; what cannot be written there is dropped."""

    def __init__(
        self, *, quiet: bool = False, verbose: bool = False, debug: bool = False, color: Color = "auto"
    ) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self.debug = debug
        self._said = set[str]()
        self._fd = None if sys.__stderr__ is None else sys.__stderr__.fileno()
        self.is_terminal = self._fd is not None and os.isatty(self._fd)
        self.colored = colored(color, self.is_terminal)

    def note(self, text: str) -> None:
        """Say something that is good to know."""
        if not self.quiet:
            self._line(escaped(text, lines=False))

    def note_once(self, text: str) -> None:
        """Say it, unless it was said before."""
        if text not in self._said:
            self._said.add(text)
            self.note(text)

    def warning(self, text: str) -> None:
        """Say something that may spoil the result."""
        if not self.quiet:
            self.loss(text)

    def loss(self, text: str) -> None:
        """Say that something is not kept, whatever --quiet says."""
        self._line(f"{self._styled('33', 'warning:')} {escaped(text, lines=False)}")

    def statistics(self, text: str) -> None:
        """Say something that only --verbose asks for."""
        if self.verbose:
            self._line(escaped(text, lines=False))

    def error(self, failure: Failure, cause: BaseException | None = None) -> None:
        """Say what went wrong and what to do, whatever --quiet says; with --debug, where `cause` came from first."""
        if self.debug and cause is not None:
            import traceback

            self.raw("".join(traceback.format_exception(cause)))
        self._line(f"{self._styled('1;31', 'error:')} {escaped(str(failure), lines=False)}")

    def raw(self, text: str) -> None:
        """Write several lines as they are: a traceback, a help page."""
        if self._fd is not None:
            try:
                rest = memoryview(text.encode("utf-8", "backslashreplace"))
                while rest:
                    rest = rest[_write_some(self._fd, rest) :]
            except OSError:
                self._fd = None  # nobody is listening

    def _line(self, text: str) -> None:
        self.raw(f"llavacli: {text}\n")

    def _styled(self, style: str, word: str) -> str:
        return f"\x1b[{style}m{word}\x1b[0m" if self.colored else word


def colored(choice: Color, is_terminal: bool) -> bool:
    """Whether to colour a stream: --color, then NO_COLOR, FORCE_COLOR (no-color.org, force-color.org), TERM."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal and os.environ.get("TERM") != "dumb"


def output_error(error: OSError) -> OutputError:
    """A failed write to stdout, told apart: the reader has gone, or the disk is full and the like."""
    if isinstance(error, BrokenPipeError):
        return OutputError("the reader closed the pipe", READER_GONE)
    return OutputError(f"cannot write to standard output: {error.strerror}", CANNOT_WRITE)


def cannot_write(path: str, error: OSError) -> OutputError:
    """A failed write to a file."""
    message = f"cannot write {path}: {error.strerror or error}"
    return OutputError(message, CANNOT_WRITE, hint=_REMEDIES.get(error.errno or 0, MAKE_ROOM))


def fill_closed_descriptors() -> None:
    """Occupy closed standard descriptors, lest the next file that is opened be taken for stdout."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def abandon_stdout() -> None:
    """Send what Python still holds for a broken stdout nowhere, so that its exit stays quiet."""
    if sys.__stdout__ is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())


def _encoded(text: str) -> bytes:
    """UTF-8; surrogates that stand for a file name's bytes become these, any other is shown escaped."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")


def _write_some(fd: int, data: memoryview) -> int:
    """Write what the descriptor takes; wait where it is non-blocking and full."""
    try:
        return os.write(fd, data)
    except BlockingIOError:
        import select

        select.select([], [fd], [])
        return 0
