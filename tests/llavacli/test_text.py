"""Text made safe to show, and answers ended by exactly one newline."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llavacli.render.text import TextAnswers, escaped
from llavacli.request import Request
from llavacli.sources import Source

ANYTHING = st.text(st.characters(exclude_categories=()))


@dataclass
class Screen:
    """Stands in for stdout."""

    is_terminal: bool = True
    colored: bool = False
    written: list[str] = field(default_factory=list)

    def write(self, text: str) -> None:
        self.written.append(text)

    @property
    def text(self) -> str:
        return "".join(self.written)


def request(name: str = "a.png") -> Request:
    return Request(sources=[Source(name, name)], together=False)


def done(text: str, reason: str = "stop") -> Any:
    return SimpleNamespace(text=text, finish_reason=reason)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07"),
        ("\r\b\x00\x7f", "\\r\\x08\\x00\\x7f"),
        ("\x9b2J\x85", "\\x9b2J\\x85"),
        (
            "\u202eevil\u202c \u2066\u2069 \u200e\u200f \u061c",
            "\\u202eevil\\u202c \\u2066\\u2069 \\u200e\\u200f \\u061c",
        ),
        ("caf\udce9 \ud800", "caf\\xe9 \\ud800"),
        ("Grüße 猫 🐈‍⬛ [red]x[/red] \\x1b", "Grüße 猫 🐈‍⬛ [red]x[/red] \\x1b"),
    ],
)
def test_escaped(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_a_name_stays_on_its_line() -> None:
    assert escaped("a\n\tb\u2028c", lines=False) == "a\\n\\tb\\u2028c"


@given(ANYTHING)
def test_nothing_that_steers_a_terminal_gets_through(text: str) -> None:
    shown = escaped(text)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cs") and c not in "\t\n"]
    assert not [c for c in shown if unicodedata.bidirectional(c) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI")]
    assert len(escaped(text, lines=False).splitlines()) <= 1
    shown.encode()


@given(st.lists(st.text("a\n \x1b", max_size=4), max_size=6))
def test_a_terminal_gets_the_pieces_and_one_newline(pieces: list[str]) -> None:
    screen = Screen()
    show = TextAnswers(screen, headed=False)  # type: ignore[arg-type]
    for piece in pieces:
        show.piece(request(), piece)
    show.done(request(), done("".join(pieces)), None)  # type: ignore[arg-type]
    assert screen.text == escaped("".join(pieces)).rstrip("\n") + "\n"


def test_a_terminal_gets_each_piece_at_once() -> None:
    screen = Screen()
    show = TextAnswers(screen, headed=False)  # type: ignore[arg-type]
    for piece in ("A", " cat", "\n", "sits."):
        show.piece(request(), piece)
    assert screen.written == ["A", " cat", "\nsits."]


@given(st.text("a\n \x1b", max_size=8))
def test_a_pipe_gets_the_answer_in_one_write(text: str) -> None:
    screen = Screen(is_terminal=False)
    show = TextAnswers(screen, headed=False)  # type: ignore[arg-type]
    show.piece(request(), text)
    assert screen.written == []
    show.done(request(), done(text), None)  # type: ignore[arg-type]
    assert screen.written == [text.rstrip("\n") + "\n"]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_headings_stand_apart_and_only_before_answers(is_terminal: bool) -> None:
    screen = Screen(is_terminal)
    show = TextAnswers(screen, headed=True)  # type: ignore[arg-type]
    for name in ("a.png", "broken.png", "b.png"):
        if name == "broken.png":
            show.failed(request(name), None, None)  # type: ignore[arg-type]
            continue
        show.piece(request(name), "x\n")
        show.done(request(name), done("x\n"), None)  # type: ignore[arg-type]
    assert screen.text == "==> a.png <==\nx\n\n==> b.png <==\nx\n"


def test_an_answer_that_breaks_off_ends_its_line() -> None:
    screen = Screen()
    show = TextAnswers(screen, headed=False)  # type: ignore[arg-type]
    show.piece(request(), "half")
    show.failed(request(), None, None)  # type: ignore[arg-type]
    show.piece(request(), "whole")
    show.done(request(), done("whole"), None)  # type: ignore[arg-type]
    assert screen.text == "half\nwhole\n"


def test_an_answer_interrupted_before_its_first_word_leaves_no_trace() -> None:
    screen = Screen(is_terminal=False)
    TextAnswers(screen, headed=True).done(request(), done("", "interrupted"), None)  # type: ignore[arg-type]
    assert screen.text == ""
