"""How terminals write a path when one is dropped or pasted: quotes, escapes, `file://`; and what such words mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

BLANKS = " \t\n\r\f\v"  # what divides words; other blanks are parts of names: macOS writes U+202F in screenshots'
LONGEST = 4096  # characters of a word: what Linux takes as a path

_WORD = re.compile(
    r"""(?: \\. | \$'(?:\\.|[^'\\])*' | '[^']*' | "(?:\\.|[^"\\])*" | [^\\'"$ \t\n\r\f\v]+ | \$ )+""", re.S | re.X
)
_PIECE = re.compile(r"""\\(.) | \$'((?:\\.|[^'\\])*)' | '([^']*)' | "((?:\\.|[^"\\])*)" """, re.S | re.X)
_DOUBLED = re.compile(r"'((?:[^']|'')*)'(?!')")
_QUOTED = re.compile(r"""'([^']*)' | "([^"]*)" | “([^”]*)” | ‘([^’]*)’ | «([^»]*)»""", re.X)
_POWERSHELL = re.compile(r"""&[ \t]+(?=['"])""")
_RAW = re.compile(rf"[^{BLANKS}]+")
_ANSI = re.compile(r"\\(x[0-9a-fA-F]{1,2}|u[0-9a-fA-F]{1,4}|U[0-9a-fA-F]{1,8}|[0-7]{1,3}|.)", re.S)
_ANSI_LETTERS = {"a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
OPENING, CLOSING = "([{<\"'“‘«", ".,;:!?)]}>\"'”’»…"

_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_SIGN = re.compile(r"/(?!/)|~|\.\.?[/\\]|[A-Za-z]:[\\/]|\\\\|file:", re.I)


@dataclass(frozen=True)
class Spelling:
    """A piece of a text, from its first character to before its last, and what it may mean, the likeliest first."""

    start: int
    end: int
    readings: tuple[str, ...]


def is_signed(name: str) -> bool:
    """Whether it begins as only paths do: `/ ~ ./ ../ file:`, or a drive."""
    return _SIGN.match(name) is not None


def is_path(name: str) -> bool:
    """Whether it begins as a path does or has a separator."""
    return "/" in name or is_signed(name)


def has_drive(name: str) -> bool:
    r"""Whether it is a path of Windows: `C:\…`, `C:/…` or `\\server\…`."""
    return _DRIVE.match(name) is not None


def skip_blanks(text: str, at: int) -> int:
    """Where the next word begins, or the text's end."""
    while at < len(text) and text[at] in BLANKS:
        at += 1
    return at


def raw_end(text: str, start: int) -> int:
    """Where the word that starts here ends, if blanks alone divide."""
    found = _RAW.match(text, start)
    return start if found is None else found.end()


def spellings(text: str, start: int) -> Iterator[Spelling]:
    """What a path that begins at `start` may be written as: a shell's word, something in quotes, a word as it is.

    The last two come without the punctuation that ends a sentence, too.
    """
    power = _POWERSHELL.match(text, start)
    if power is not None:
        for quoted in _quoted(text, power.end()):
            yield Spelling(start, quoted.end, quoted.readings)
    word = _WORD.match(text, start, start + LONGEST)
    if word is not None:
        yield Spelling(start, word.end(), _readings(word[0]))
    yield from _quoted(text, start)
    end = min(raw_end(text, start), start + LONGEST)
    if word is None or word.end() != end:
        yield Spelling(start, end, _readings(text[start:end]))
    for whole in {end} if word is None else {word.end(), end}:
        trimmed = text[start:whole].rstrip(CLOSING)
        if trimmed and len(trimmed) < whole - start:
            yield Spelling(start, start + len(trimmed), _readings(trimmed))


def unquoted_blanks(text: str, start: int, words: int = 32) -> Iterator[Spelling]:
    """The same for a path whose blanks nobody marked: up to each blank of its line, as long as one follows."""
    line_end = text.find("\n", start)
    line_end = min(len(text) if line_end < 0 else line_end, start + LONGEST)
    ends = [match.end() for match in _RAW.finditer(text, start, line_end)][1:words]
    for end in ends:
        trimmed = start + len(text[start:end].rstrip(CLOSING))
        for each in sorted({end, trimmed}, reverse=True):
            yield Spelling(start, each, _readings(text[start:each]))


def whole(text: str) -> Iterator[Spelling]:
    """A text of several lines as one name: such names exist."""
    if "\n" in text:
        yield from _stripped(text, 0, len(text))


def line(text: str, start: int) -> Iterator[Spelling]:
    """The line that begins at `start` as one name: as it is, then without the blanks around it."""
    end = text.find("\n", start)
    yield from _stripped(text, start, len(text) if end < 0 else end)


def unescaped(word: str, plain: Callable[[str], str] = str) -> str:
    """What a POSIX shell makes of a word; `plain` is applied to what was quoted or escaped."""
    return _PIECE.sub(lambda match: plain(_meaning(match)), word)


def quoted(name: str) -> str:
    """A name as `unescaped` understands it, without quotes where it needs none."""
    return name if re.fullmatch(r"[\w./~@%+:,-]+", name, re.ASCII) else "'" + name.replace("'", "'\\''") + "'"


def _stripped(text: str, start: int, end: int) -> Iterator[Spelling]:
    """A stretch as a name, if it is not too long for one: as it is, then without the blanks around it."""
    if end - start > LONGEST:
        return
    whole = text[start:end]
    if whole.strip(BLANKS):
        yield Spelling(start, end, _readings(whole))
    for blanks in (BLANKS, None):
        left = start + len(whole) - len(whole.lstrip(blanks))
        bare = whole.strip(blanks)
        if bare and len(bare) < len(whole):
            yield Spelling(left, left + len(bare), _readings(bare))


def _readings(word: str) -> tuple[str, ...]:
    """A word as a shell takes it, and as it stands: Windows' backslashes are no escapes."""
    by_shell = unescaped(word)
    readings = (word, by_shell) if has_drive(word) else (by_shell, word)
    return tuple(dict.fromkeys(readings))


def _quoted(text: str, start: int) -> Iterator[Spelling]:
    """What is between the quotes that open here; PowerShell doubles a quote within."""
    doubled = _DOUBLED.match(text, start, start + LONGEST)
    if doubled is not None:
        yield Spelling(start, doubled.end(), (doubled[1].replace("''", "'"),))
    found = _QUOTED.match(text, start, start + LONGEST)
    if found is not None:
        yield Spelling(start, found.end(), tuple(group for group in found.groups() if group is not None))


def _meaning(match: re.Match[str]) -> str:
    """A quoted or escaped piece without its quotes and backslashes."""
    escaped, ansi, single, double = match.groups()
    if escaped is not None:
        return str(escaped)
    if ansi is not None:
        return _joined(_ANSI.sub(_ansi, ansi))
    if single is not None:
        return str(single)
    return re.sub(r"""\\([$`"\\!\n])""", r"\1", double)


def _ansi(match: re.Match[str]) -> str:
    """An escape within `$'…'`; bytes join to characters afterwards."""
    code = match[1]
    if code[0] in "uU" and len(code) > 1:
        number = int(code[1:], 16)
        return chr(number) if number < 0x110000 else match[0]
    if code[0] == "x" and len(code) > 1:
        return _byte(int(code[1:], 16))
    if code[0] in "01234567":
        return _byte(int(code, 8) & 0xFF)
    return _ANSI_LETTERS.get(code, code)


def _byte(number: int) -> str:
    """A byte as Python carries it in a name."""
    return bytes([number]).decode("utf-8", "surrogateescape")


def _joined(text: str) -> str:
    """The text with bytes that make up a character as that character."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # surrogates that stand for no byte
        return text
