"""The text of an answer, read as it comes: a reader says what it wants next, and waits for it by yielding."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
Waiting = Generator[None, None, T]  # yields whenever more text is needed, and returns what was asked for


class Source:
    """Text that is still arriving. Nobody can ask how much there is: so nothing depends on how it was split."""

    def __init__(self) -> None:
        self._text = ""
        self._at = 0
        self._held = ""  # a carriage return that may be half of a line's end
        self._ended = False

    def push(self, text: str) -> None:
        """Take more text."""
        text = self._held + text
        self._held = "\r" if text.endswith("\r") else ""
        text = text.removesuffix("\r").replace("\r\n", "\n")
        self._text = self._text[self._at :] + text
        self._at = 0

    def end(self) -> None:
        """No more text comes."""
        self._text += self._held
        self._held = ""
        self._ended = True

    def peek(self, ahead: int = 0) -> Waiting[str]:
        """The next character, or one `ahead` of it; empty at the end."""
        while self._at + ahead >= len(self._text):
            if self._ended:
                return ""
            yield
        return self._text[self._at + ahead]

    def skip(self, count: int = 1) -> None:
        """Leave behind characters that were peeked at."""
        self._at += count

    def some(self, pattern: re.Pattern[str]) -> Waiting[str]:
        """Some characters that match a class, as many as are there; empty when the next one does not."""
        yield from self.peek()
        match = pattern.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match[0]

    def run(self, pattern: re.Pattern[str], most: int | None = None) -> Waiting[str]:
        """All characters up to the first that does not match a class; with `most`, no more than so many."""
        found: list[str] = []
        while most is None or len(found) < most:
            if most is None:
                piece = yield from self.some(pattern)
            else:
                piece = yield from self.peek()
                piece = piece if pattern.fullmatch(piece) else ""
                self.skip(len(piece))
            if not piece:
                break
            found.append(piece)
        return "".join(found)

    def unread(self, text: str) -> None:
        """Put back what was just read."""
        if self._text.endswith(text, 0, self._at):
            self._at -= len(text)
        else:
            self._text = text + self._text[self._at :]
            self._at = 0
