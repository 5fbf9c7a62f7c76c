"""Pictures and clips that a typed or pasted text names: told from prose by rules, and never silently sent as words.

A word (in any spelling of a path: see `spelling`), or a whole line, is an attachment if a picture or a clip is there;
one without a dot or a separator counts only where it is a whole pasted line. So is a URL that ends like one. What ends
like a picture or a clip and is none is a problem if it has a separator, begins with `~` or `@`, exists, or is all there
is; else a hint, as `cat.jpg` may be a word of a sentence. So is a folder. What stands in `backticks` is text.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from llavacli.endings import promises
from llavacli.failures import Failure
from llavacli.repl import spelling
from llavacli.repl.lookup import Kind, Lookup, Seen, names_in, reason_against
from llavacli.repl.spelling import OPENING, Spelling, is_path, is_signed
from llavacli.sources import is_url

WORDS = 20_000  # that may begin an attachment are read: a second's work
STRETCHES = 100  # words of one text from which a path with unmarked blanks is looked for
NESTED = 16  # places in one word at which an attachment may begin

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.S)
_TELLING = re.compile(r"""[./\\~'"“‘«]""")  # one of these is in every word that may begin an attachment
_MARKUP = re.compile(r"""[<>|=`()\[\]{}'",;]""")  # within a word: rather code than a path
_INNER = re.compile(r"[\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")  # blanks that names may hold


@dataclass(frozen=True)
class Attached:
    """A picture or a clip: the path or URL for the core, and what stood for it in the text."""

    source: str
    kind: Kind
    literal: str


@dataclass(frozen=True)
class Problem:
    """What looks like a picture or a clip and cannot be had: as it was written, why, and the paths that were tried."""

    literal: str
    failure: Failure
    tried: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """The text in its order; `segments` written one after the other (attachments as they were) are the text."""

    segments: tuple[str | Attached, ...]
    problems: tuple[Problem, ...] = ()
    hints: tuple[str, ...] = ()

    @property
    def attachments(self) -> tuple[Attached, ...]:
        """The attachments alone."""
        return tuple(segment for segment in self.segments if isinstance(segment, Attached))

    def text(self, labels: Sequence[str]) -> str:
        """The text with a label, such as `[Image #1]`, in the place of each attachment."""
        rest = iter(labels)
        return "".join(segment if isinstance(segment, str) else next(rest) for segment in self.segments)


def find(text: str, *, pasted: bool) -> Found:
    """What `text` names; `pasted` says that it was inserted as a whole, by a paste or a drop."""
    return _Reading(text, pasted=pasted).found()


class _Reading:
    """Goes through a text once, from the left."""

    def __init__(self, text: str, *, pasted: bool) -> None:
        self._text = text
        self._pasted = pasted
        self._bare = text.strip()
        self._lookup = Lookup()
        self._attached: list[tuple[Spelling, Attached]] = []
        self._problems: list[Problem] = []
        self._missing: list[str] = []
        self._hints: list[str] = []
        self._stretched = 0
        self._read_words = 0

    def found(self) -> Found:
        """All that there is in the text."""
        if not self._take(spelling.whole(self._text), whole=True):
            self._read()
            self._tell_of_all()
        segments: list[str | Attached] = []
        at = 0
        for spelled, attached in self._attached:
            segments += [self._text[at : spelled.start], attached]
            at = spelled.end
        segments.append(self._text[at:])
        if self._missing:
            names = ", ".join(list(dict.fromkeys(self._missing))[:3]) + ("…" if len(self._missing) > 3 else "")
            self._hints.insert(0, f"{names}: no such file here, so sent as words; /image PATH attaches a picture")
        return Found(tuple(filter(None, segments)), tuple(self._problems), tuple(self._hints))

    def _read(self) -> None:
        """Line by line, word by word."""
        text, at, fresh = self._text, 0, True
        while (start := spelling.skip_blanks(text, at)) < len(text):
            fresh = fresh or "\n" in text[at:start]
            if fresh and self._take(spelling.line(text, text.rfind("\n", 0, start) + 1), whole=True):
                at = self._attached[-1][0].end
            else:
                at = self._word(start, first=fresh)
            fresh = False

    def _word(self, at: int, *, first: bool) -> int:
        """What begins at a word; where to go on."""
        text, end = self._text, spelling.raw_end(self._text, at)
        word = text[at:end]
        if _TELLING.search(word) is None and "@" not in word and "`" not in word:
            return end
        self._read_words += 1
        if self._read_words > WORDS:
            self._hints.append(f"only the first {at} characters of so long a text were searched for pictures and clips")
            return len(text)
        starts = list(_starts(text, at, end))
        for start in starts:
            if (code := _CODE.match(text, start)) is not None:
                return code.end()
            if self._take(spelling.spellings(text, start)) or self._take(self._stretches(start, end)):
                return self._attached[-1][0].end
        return next((stop for start in starts if (stop := self._complain(start, end, first=first)) is not None), end)

    def _take(self, spelled: Iterator[Spelling], *, whole: bool = False) -> bool:
        """Attach the first spelling that means a picture or a clip; whether there is one."""
        for each in spelled:
            for name in each.readings:
                if not (self._pasted and whole) and "." not in name and not is_path(name):
                    continue
                seen = self._lookup(name)
                if seen.kind is not None:
                    literal = self._text[each.start : each.end]
                    self._attached.append((each, Attached(seen.source, seen.kind, literal)))
                    return True
        return False

    def _stretches(self, start: int, end: int) -> Iterator[Spelling]:
        """What a path with unmarked blanks that begins at a word may reach to."""
        if self._stretched < STRETCHES and is_signed(self._text[start:end]):
            self._stretched += 1
            yield from (each for each, _ in _promising(spelling.unquoted_blanks(self._text, start)))

    def _complain(self, start: int, end: int, *, first: bool) -> int | None:
        """Tell of what looks like a picture or a clip at a word; where it ends, None if nothing does."""
        text = self._text
        for each, name in _promising(spelling.spellings(text, start)):
            literal, seen = text[each.start : each.end], self._lookup(name)
            if is_url(name):
                return None
            if seen.state != "missing" or _is_meant(literal, name) or literal == self._bare:
                self._problems.append(_problem(literal, name, seen))
            else:
                self._missing.append(literal)
            return each.end
        if not (first and is_signed(text[start:end]) and self._lookup(text[start:end]).state == "missing"):
            return None
        for each, name in _promising(spelling.unquoted_blanks(text, start)):
            self._problems.append(_problem(text[each.start : each.end], name, self._lookup(name)))
            return each.end
        return None

    def _tell_of_all(self) -> None:
        """Tell of a folder, or of a file of another kind, if the text is nothing but its path."""
        if self._attached or self._problems or len(self._bare) > spelling.LONGEST:
            return
        for each in spelling.line(self._bare, 0):
            for name in each.readings:
                seen = self._lookup(name)
                if seen.state == "missing" or not is_path(name) or not os.path.basename(seen.source.rstrip("/")):
                    continue
                if seen.state == "folder":
                    self._problems.append(_problem(self._bare, name, seen))
                elif self._pasted:
                    self._hints.append(f"{self._bare} is no picture and no clip, so its name is sent as words")
                return


def folder_hint(folder: str) -> str:
    """What to type for the pictures in a folder: `/image DIR/*.jpg`, by the ending that most of them have."""
    endings = Counter(os.path.splitext(name)[1] for name in names_in(folder) if promises(name))
    if not endings:
        return "it holds neither pictures nor clips; name a file"
    ((ending, _),) = endings.most_common(1)
    return f"attach what is in it: /image {spelling.quoted(folder.rstrip('/'))}/*{ending}"


def _problem(literal: str, name: str, seen: Seen) -> Problem:
    """Why a name is no attachment."""
    code, reason, hint = reason_against(seen, name)
    if seen.state == "folder":
        hint = folder_hint(seen.source)
    tried = tuple(map(os.path.abspath, seen.tried)) if code != "url" else ()
    looked = [path for path in tried if path != literal] if seen.state == "missing" else []
    where = f" (tried {', '.join(looked[:3])})" if looked else ""
    return Problem(literal, Failure(code, f"{literal}: {reason}{where}", hint), tried)


def _promising(spelled: Iterator[Spelling]) -> Iterator[tuple[Spelling, str]]:
    """The spellings that end like a picture or a clip, and the reading that does."""
    for each in spelled:
        name = next((name for name in each.readings if promises(name)), None)
        if name is not None:
            yield each, name


def _is_meant(literal: str, name: str) -> bool:
    """Whether a name of nothing is the path of a picture, rather than a word of a sentence or a piece of code."""
    if is_signed(name) or name.startswith("@"):
        return True
    if not is_path(name):
        return False
    return literal[0] in "'\"“‘«" or _MARKUP.search(re.sub(r"\\.", "", literal)) is None


def _starts(text: str, start: int, end: int) -> Iterator[int]:
    """Where in a word something may begin: at its first character, behind brackets and quotes, behind odd blanks."""
    for begin in (start, *(match.end() for match in islice(_INNER.finditer(text, start, end), NESTED))):
        for at in range(begin, min(end, begin + NESTED)):
            yield at
            if text[at] not in OPENING:
                break
