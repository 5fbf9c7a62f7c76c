"""From an answer to a caption: whole sentences, and words put before and behind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llavacli.captioning.options import WordOptions

_SENTENCE = re.compile(r"(?:[.!?…]+[\"'”’)\]]*(?=\s|$)|[。！？]+[」』”’）]*)")
_BREAK = re.compile(r"[ \t]*[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+[ \t]*")


@dataclass(frozen=True)
class Wording:
    """What becomes of an answer's words."""

    prepend: str
    append: str
    trim_sentence: bool

    def caption(self, text: str, *, was_cut: bool) -> str:
        """The caption that an answer makes."""
        if self.trim_sentence and was_cut:
            text = whole_sentences(text)
        return f"{self.prepend}{text}{self.append}"

    def params(self) -> Mapping[str, Any]:
        """What a record says of it: what was asked for."""
        return {name: value for name, value in vars(self).items() if value}


def wording_of(options: WordOptions) -> Wording:
    """What the options ask for."""
    return Wording(options.prepend, options.append, options.trim_sentence)


def whole_sentences(text: str) -> str:
    """The text up to the end of its last whole sentence; all of it where none ends."""
    ends = [match.end() for match in _SENTENCE.finditer(text)]
    return text[: ends[-1]] if ends else text


def on_one_line(text: str) -> str:
    """The text with every line break, and every tab, as one space."""
    return _BREAK.sub(" ", text).strip()
