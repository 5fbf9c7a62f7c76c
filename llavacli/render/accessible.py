"""Answers for screen readers: append-only plain text that comes sentence by sentence."""

from __future__ import annotations

import re
from collections.abc import Generator

from llavacli.render.markdown_source import Source, Waiting
from llavacli.render.text import escaped

LONGEST = 1000  # characters that wait for the end of a sentence

_WHITE = re.compile(r"[ \t]+")
_WORD = re.compile(r"[^ \t\n。！？]+")
_WIDE_END = re.compile(r"[。！？]+")  # no space need follow
_CLOSING = re.compile(r"[」』）”’]+")
_END = re.compile(r"[.!?…]+[\"'”’»)\]*_`]*$")
_OPENING = "([{\"'“‘«*_`"
_LONGEST_WORD = 40  # characters of a word that are looked at for its end

# After these a capital begins no sentence, and after those only a capital does.
_TITLES = "mr mrs ms dr prof st vs e.g i.e cf nos fig figs eq vol ch pp d.h z.b bzw nr hr fr"
_SHORTENED = "etc approx ca al inc ltd co corp dept est a.m p.m u.s u.k usw bspw jr sr ed min max"


class SentenceStream:
    """Hands out an answer by sentences; headings, lists, tables and code by lines.

    It is the answer as it is, ended by one newline, and with what could steer a terminal made visible.
    """

    def __init__(self) -> None:
        self._source = Source()
        self._held: list[str] = []
        self._size = 0
        self._out: list[str] = []
        self._newlines = 0  # they wait until more follows
        self._said = False  # anything
        self._fence = ""  # the mark of the code that is open
        self._reading: Generator[None, None, None] = self._read()

    def push(self, text: str) -> str:
        """The sentences and lines that are whole now."""
        self._source.push(text)
        return self._taken()

    def finish(self) -> str:
        """What was held back, and the end of the line."""
        self._source.end()
        rest = self._taken()
        return f"{rest}\n" if self._said else ""

    def _taken(self) -> str:
        next(self._reading, None)
        text = "".join(self._out)
        self._out.clear()
        return text

    def _read(self) -> Waiting[None]:
        while (yield from self._source.peek()):
            self._hold((yield from self._source.run(_WHITE)))
            whole = yield from self._comes_whole()
            yield from self._line(whole=whole)

    def _comes_whole(self) -> Waiting[bool]:
        """Whether a line is code, an item, a heading or a row, in which sentences are not told apart."""
        mark = yield from self._source.peek()
        if mark in ("`", "~") and mark == (yield from self._source.peek(1)) == (yield from self._source.peek(2)):
            if self._fence in ("", mark):
                self._fence = "" if self._fence else mark
            return True
        if self._fence or mark in ("|", "#", ">"):
            return True
        digits = 0
        while digits < 9 and (yield from self._source.peek(digits)).isdecimal():
            digits += 1
        marks = ".)" if digits else "-+*"
        after = yield from self._source.peek(digits)
        return bool(after) and after in marks and (yield from self._source.peek(digits + 1)) in (" ", "\t")

    def _line(self, *, whole: bool) -> Waiting[None]:
        """Hand out the sentences of a line, or the line."""
        while character := (yield from self._source.peek()):
            if character == "\n":
                self._source.skip()
                self._release()
                self._newlines += 1
                return
            if end := (yield from self._source.run(_WIDE_END)):
                self._hold(end + (yield from self._source.run(_CLOSING)))
                ended = not whole
            elif word := (yield from self._word()):
                ended = not whole and (yield from self._ends_sentence(word))
            else:
                self._hold((yield from self._source.run(_WHITE)))
                ended = self._size > LONGEST
            if ended:
                self._release()
        self._release()

    def _word(self) -> Waiting[str]:
        """Read a word; its last characters."""
        tail = ""
        while piece := (yield from self._source.some(_WORD)):
            tail = (tail + piece)[-_LONGEST_WORD:]
            self._hold(piece)
            if self._size > 2 * LONGEST:
                self._release()
        return tail

    def _ends_sentence(self, word: str) -> Waiting[bool]:
        """Whether a sentence ends with a word: not if it is abbreviated, unless what follows says so."""
        end = _END.search(word)
        if end is None or (yield from self._source.peek()) == "\n":
            return False
        bare = word[: end.start()].lstrip(_OPENING)
        if word[end.start()] != "." or word[end.start() + 1 : end.start() + 2] in (".", "!", "?"):
            return True
        if bare.lower() in _TITLES.split() or (len(bare) == 1 and bare.isupper()):
            return False
        if bare.lower() not in _SHORTENED.split():
            return True
        self._hold((yield from self._source.run(_WHITE)))
        return (yield from self._source.peek()).isupper()

    def _hold(self, text: str) -> None:
        self._held.append(text)
        self._size += len(text)

    def _release(self) -> None:
        """Hand out what is held."""
        if text := "".join(self._held):
            self._out.append("\n" * self._newlines + escaped(text))
            self._newlines, self._said = 0, True
        self._held.clear()
        self._size = 0
