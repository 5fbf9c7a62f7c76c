"""Answers as text: streamed on a terminal with control characters escaped, whole and byte for byte in a pipe."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import llavacli_core as core
    from llavacli.failures import Failure
    from llavacli.request import Request
    from llavacli.streams import Output

# C0 without tab and newline, DEL, C1, the bidirectional controls, and bytes of file names that are no UTF-8.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_CONTROL_OR_LINE = re.compile(_CONTROL.pattern[:-1] + r"\t\n\u2028\u2029]")
_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def escaped(text: str, *, lines: bool = True) -> str:
    """The text with what could steer a terminal made visible; without `lines`, newlines and tabs too."""
    return (_CONTROL if lines else _CONTROL_OR_LINE).sub(lambda match: _visible(match[0]), text)


def _visible(character: str) -> str:
    """One character as a Python-like escape; a byte that is no UTF-8 as that byte."""
    number = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if 0xDC80 <= number <= 0xDCFF:  # os.fsdecode's way to carry a byte
        number -= 0xDC00
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def placeholder(number: int, kind: str) -> str:
    """What stands for a picture or a clip in a conversation: `[Image #1]`, `[Video #2]`."""
    return f"[{kind.capitalize()} #{number}]"


class LastNewlines:
    """Those at the end of a text that streams: they are shown only when more follows."""

    def __init__(self) -> None:
        self._held = ""

    def push(self, text: str) -> str:
        """What can be shown now."""
        text = self._held + text
        shown = text.rstrip("\n")
        self._held = text[len(shown) :]
        return shown

    def drop(self) -> None:
        """The text is over."""
        self._held = ""


class TextAnswers:
    """Prints answers one after the other, each ended by exactly one newline and, when `headed`, under its source."""

    def __init__(self, output: Output, *, headed: bool) -> None:
        self._output = output
        self._headed = headed
        self._first = True
        self._open = False
        self._newlines = LastNewlines()

    def piece(self, request: Request, text: str) -> None:
        """Print a piece as it comes on a terminal; a pipe waits for the whole."""
        if not self._output.is_terminal:
            return
        kept = self._newlines.push(text)
        if kept:
            self._output.write(self._opening(request) + escaped(kept))

    def done(self, request: Request, done: core.Done, _engine: core.Engine) -> None:
        """End an answer, all of which `done` holds. One that was interrupted before its first word leaves no trace."""
        if done.finish_reason == "interrupted" and not done.text:
            return
        rest = "" if self._output.is_terminal else done.text.rstrip("\n")
        self._output.write(f"{self._opening(request)}{rest}\n")
        self._close()

    def failed(self, _request: Request, _failure: Failure, _info: core.ModelInfo | None) -> None:
        """End the line of an answer that broke off; what went wrong is for stderr."""
        if self._open:
            self._output.write("\n")
        self._close()

    def _close(self) -> None:
        self._open = False
        self._newlines.drop()

    def _opening(self, request: Request) -> str:
        """What stands before an answer's first piece: an empty line after the last one, and the heading."""
        if self._open:
            return ""
        self._open = True
        if not self._headed:
            return ""
        gap = "" if self._first else "\n"
        self._first = False
        return f"{gap}{heading(request.title, self._output)}\n"


def heading(source: str, output: Output) -> str:
    """A source as `head` and `tail` write it: `==> a.png <==`."""
    name = escaped(source, lines=False) if output.is_terminal else source
    line = f"==> {name} <=="
    return f"\x1b[1m{line}\x1b[0m" if output.colored else line
