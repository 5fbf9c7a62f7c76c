"""Delimiters of inline Markdown, followed as CommonMark pairs them, to know when all that were opened are closed."""

from __future__ import annotations

from dataclasses import dataclass

_SPACES = frozenset(" \t\n")


@dataclass
class Run:
    """A run of delimiters, `left` of whose `length` are not paired yet; `both`: it may open and close."""

    position: int
    left: int
    length: int
    both: bool

    def fits(self, closer: Run) -> bool:
        """Whether a run may close this one: CommonMark's rule of three, for those that may open and close."""
        if not (self.both or closer.both):
            return True
        return (self.length + closer.length) % 3 != 0 or (self.length % 3 == 0 and closer.length % 3 == 0)


class Watch:
    """Follows delimiters as CommonMark pairs them, to know when all of them are closed."""

    def __init__(self) -> None:
        self._position = 0
        self._openers: dict[str, list[Run]] = {"*": [], "_": [], "~": []}  # by delimiter, in order
        self._tried: dict[tuple[str, bool, int], int] = {}  # how many of the first of them a kind of run cannot close
        self._run = ""  # delimiters or backticks whose number is not known yet
        self._before = " "  # the character before the run
        self._last = " "
        self._code = 0  # backticks that opened a code span
        self._brackets = 0
        self._parentheses = 0  # of a link's address
        self._closed = False  # a bracket has just closed: an address may follow
        self._escaping = False  # a backslash came: before a line's end, it breaks the line

    def settled(self) -> bool:
        """Whether nothing is open, were a space to follow."""
        self._end_run(" ")
        open_ = self._code or self._brackets or self._parentheses or self._escaping
        return not open_ and not any(self._openers.values())

    def see(self, text: str) -> None:
        """Look at a plain run of characters, white space, or a single character."""
        for character in text if text[0] in _SPACES or len(text) == 1 else text[0]:
            self._look(character)
        self._last = text[-1]

    def _look(self, character: str) -> None:
        self._position += 1
        closed, self._closed = self._closed, False
        if self._run and character != self._run[0]:
            self._end_run(character)
        if self._escaping:
            self._escaping = False
        elif character == "`" or (character in self._openers and not self._code):
            if not self._run:
                self._before = self._last
            self._run += character
        elif not self._code:
            self._bracket(character, closed=closed)
        self._last = character

    def _bracket(self, character: str, *, closed: bool) -> None:
        if character == "\\":
            self._escaping = True
        elif self._parentheses:
            self._parentheses += {"(": 1, ")": -1}.get(character, 0)
        elif character == "[":
            self._brackets += 1
        elif character == "]" and self._brackets:
            self._brackets -= 1
            self._closed = True
        elif character == "(" and closed:
            self._parentheses = 1

    def _end_run(self, after: str) -> None:
        """The run's length is known: a code span opens or closes, or emphasis may."""
        run, self._run = self._run, ""
        if not run:
            return
        if run[0] == "`":
            if not self._code:
                self._code = len(run)
            elif self._code == len(run):
                self._code = 0
            return
        opens, closes = flanking(run[0], self._before, after)
        left = len(run) if run[0] != "~" else len(run) // 2 * 2  # one ~ alone is text
        found = Run(self._position, left, len(run), opens and closes)
        if closes:
            self._close(run[0], found)
        if opens and found.left:
            self._openers[run[0]].append(found)

    def _close(self, mark: str, run: Run) -> None:
        """Close what a run may, the last opened first; what was opened inside that opens nothing any more."""
        openers = self._openers[mark]
        kind = (mark, run.both, run.length % 3)
        at = len(openers)
        while run.left and at > self._tried.get(kind, 0):
            at -= 1
            if mark != "~" and not openers[at].fits(run):
                continue
            taken = min(run.left, openers[at].left)
            run.left -= taken
            openers[at].left -= taken
            self._drop_after(openers[at].position)
            if not openers[at].left:
                openers.pop()
        if run.left:
            self._tried[kind] = len(openers)

    def _drop_after(self, position: int) -> None:
        """Forget openers after a position."""
        for mark, openers in self._openers.items():
            while openers and openers[-1].position > position:
                openers.pop()
            for kind, count in self._tried.items():
                if kind[0] == mark:
                    self._tried[kind] = min(count, len(openers))


def flanking(mark: str, before: str, after: str) -> tuple[bool, bool]:
    """Whether a run of delimiters between two characters may open and close emphasis (CommonMark 6.2)."""
    left = not after.isspace() and (not _punctuation(after) or before.isspace() or _punctuation(before))
    right = not before.isspace() and (not _punctuation(before) or after.isspace() or _punctuation(after))
    if mark != "_":
        return left, right
    return left and (not right or _punctuation(before)), right and (not left or _punctuation(after))


def _punctuation(character: str) -> bool:
    return not (character.isalnum() or character.isspace())
