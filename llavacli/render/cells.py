"""Terminal cells: how many a text takes, where it is full, and where a line may break without a space."""

from __future__ import annotations

from wcwidth import wcswidth, wcwidth

from llavacli.render.text import escaped

_JOINER = "\u200d"
_AS_PICTURE = "\ufe0f"  # makes the character before it an emoji, which is wide
_NOT_FIRST = frozenset("、。，．：；？！…‥・ー々〻）〉》」』】〕〗〙〛’”,.;:?!)]}%°～〜")  # never at a line's start
_NOT_LAST = frozenset("（〈《「『【〔〖〘〚‘“([{$￥")  # never at its end


def cells(text: str) -> int:
    """Cells that a text takes, controls aside: two for a wide character, none for a combining one."""
    if text.isascii():
        return len(text)
    width = wcswidth(text)
    return width if width >= 0 else sum(max(wcwidth(character), 0) for character in text)


def full_at(text: str, start: int, width: int) -> int:
    """Where a line of `width` cells that holds the text from `start` on is full; one character always fits."""
    end, taken = start, 0
    while end < len(text):
        taken += 1 if text[end] == _AS_PICTURE else max(wcwidth(text[end]), 0)
        if taken > width and end > start:
            break
        end += 1
    return end


def may_break(before: str, after: str) -> bool:
    """Whether a line may end between two characters that no space parts: beside one of Chinese, Japanese or emoji."""
    if before.isascii() and after.isascii():
        return False
    if before in _NOT_LAST or after in _NOT_FIRST or before == _JOINER or _continues(after):
        return False
    return wcwidth(before) == 2 or wcwidth(after) == 2


def _continues(character: str) -> bool:
    """Whether a character belongs to the one before it: it combines, joins, colours skin, or is half a flag."""
    return (
        wcwidth(character) <= 0
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or "\U0001f1e6" <= character <= "\U0001f1ff"
    )


def visible(text: str) -> str:
    """A model's text as it reaches the terminal: what could steer it is made visible, line ends included."""
    return escaped(text, lines=False)


def painted(text: str, style: str) -> str:
    """The text in a style, which is the parameters of an SGR sequence."""
    return f"\x1b[{style}m{text}\x1b[0m" if style and text else text
