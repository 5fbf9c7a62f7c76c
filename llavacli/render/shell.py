"""Commands to paste into a shell, whatever the names in them hold."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable

ESCAPED = {"\\": r"\\", "'": r"\'", "\n": r"\n", "\t": r"\t"}


def pasted(words: Iterable[str]) -> str:
    """The words as one line: those with control characters or stray bytes as `$'…'`, which bash, zsh and ksh read."""
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    if word.isprintable():
        return shlex.quote(word)
    return "$'" + "".join(ESCAPED.get(character) or _spelt(character) for character in word) + "'"


def _spelt(character: str) -> str:
    """A character of such a word: itself, or its bytes."""
    return character if character.isprintable() else "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))
