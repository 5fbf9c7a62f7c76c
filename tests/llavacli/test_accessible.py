"""Answers for screen readers: whole sentences, plain text, nothing but what the model said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llavacli.render.accessible import SentenceStream
from llavacli.render.text import escaped


def units(text: str) -> list[str]:
    """What is handed out at once, when the text comes character by character."""
    stream = SentenceStream()
    return [unit.strip() for unit in [*map(stream.push, text), stream.finish()] if unit.strip()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A cat sits. It sleeps! Does it? Yes… so.", ["A cat sits.", "It sleeps!", "Does it?", "Yes…", "so."]),
        ('He said "No." Then (as if.) nothing.', ['He said "No."', "Then (as if.)", "nothing."]),
        ("It costs 3.14 or 1,000.50 now. Yes.", ["It costs 3.14 or 1,000.50 now.", "Yes."]),
        ("Dr. Smith, e.g. J. Doe vs. Mr. Xi. Ok.", ["Dr. Smith, e.g. J. Doe vs. Mr. Xi.", "Ok."]),
        ("Cats etc. are here. Also cows etc. The end.", ["Cats etc. are here.", "Also cows etc.", "The end."]),
        ("See example.com/a.b for more. Done.", ["See example.com/a.b for more.", "Done."]),
        ("猫。犬！「はい。」終わり", ["猫。", "犬！", "「はい。」", "終わり"]),
        ("List:\n- One. Two.\n1. Three. 4.\nText. More.", ["List:", "- One. Two.", "1. Three. 4.", "Text.", "More."]),
        ("# A. B.\n> C. D.\n| e. | f. |\n", ["# A. B.", "> C. D.", "| e. | f. |"]),
        ("```\na. b = c. d\n\nx. y\n```\nGood. Bye.", ["```", "a. b = c. d", "x. y", "```", "Good.", "Bye."]),
        ("3. 1. x", ["3. 1. x"]),
        ("Wait... what?! Oh.", ["Wait...", "what?!", "Oh."]),
        ("no end", ["no end"]),
        ("**Bold.** *It.* `c.` End", ["**Bold.**", "*It.*", "`c.`", "End"]),
    ],
)  # fmt: skip
def test_units(text: str, expected: list[str]) -> None:
    assert units(text) == expected


def test_a_sentence_comes_with_what_follows_it() -> None:
    stream = SentenceStream()
    assert [stream.push(piece) for piece in ("One. ", "T", "wo.", " ", "\n", "Three")] == [
        "One.", "", "", " Two.", " ", "",
    ]  # fmt: skip
    assert stream.finish() == "\nThree\n"


def test_what_has_no_end_is_not_waited_for_for_ever() -> None:
    assert SentenceStream().push("word " * 1000).count("word") > 700
    assert len(SentenceStream().push("x" * 100_000)) > 90_000


@given(
    st.lists(st.text() | st.sampled_from(["a. ", "\n", "\r\n", "\r", "e.g. ", "- b", "```\n", "\x1b[2J", "。", "1. "]))
)
def test_it_is_the_answer_escaped_however_it_was_split(pieces: list[str]) -> None:
    stream = SentenceStream()
    shown = "".join(map(stream.push, pieces)) + stream.finish()
    text = escaped("".join(pieces).replace("\r\n", "\n")).rstrip("\n")
    assert shown == (f"{text}\n" if text else "")


def test_nothing_gives_nothing() -> None:
    assert SentenceStream().finish() == ""
