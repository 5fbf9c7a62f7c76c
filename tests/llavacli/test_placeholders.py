"""`[Image #1]` in a turn's text becomes the picture; a number that no picture has is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import llavacli_core as core
from llavacli.failures import UsageError
from llavacli.render.text import placeholder
from llavacli.repl.placeholders import numbers_in, parts_of

CAT, DOG, CLIP = core.Image("cat.jpg"), core.Image("dog.jpg"), core.Video("clip.mp4")
OWN: dict[int, core.Image | core.Video] = {1: CAT, 2: DOG}


def test_placeholders() -> None:
    assert placeholder(1, "image") == "[Image #1]"
    assert placeholder(12, "video") == "[Video #12]"
    assert numbers_in("[Image #2] and [Video #12], [image #2]") == [2, 12]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("What is this?", [CAT, DOG, "What is this?"]),
        ("  What is this?\n", [CAT, DOG, "What is this?"]),
        ("", [CAT, DOG]),
        ("[Image #1] [Image #2]\nCompare.", [CAT, DOG, "Compare."]),
        ("Compare [Image #2] with [Image #1]", ["Compare ", DOG, " with ", CAT]),
        ("What is [Image #2]?", [CAT, "What is ", DOG, "?"]),
        ("[Image #1] is a cat; is [Image #2] one? [Image #1]", [CAT, "is a cat; is ", DOG, " one? ", CAT]),
        ("[image #1][IMAGE #2]", [CAT, DOG]),
        ("`[Image #7]` and [Image #1]", [DOG, "`[Image #7]` and ", CAT]),
        ("[Image 1] [Image #] [Image #x]", [CAT, DOG, "[Image 1] [Image #] [Image #x]"]),
    ],
)
def test_parts_in_their_order(text: str, parts: list[core.Image | core.Video | str]) -> None:
    assert parts_of(text, OWN) == parts


def test_pictures_of_earlier_turns_only_where_they_are_named() -> None:
    assert parts_of("What is it?", {3: CLIP}, OWN) == [CLIP, "What is it?"]
    assert parts_of("Is [Image #1] in it?", {3: CLIP}, OWN) == [CLIP, "Is ", CAT, " in it?"]
    assert parts_of("Is it in [Video #3]?", {}, {3: CLIP}) == ["Is it in ", CLIP, "?"]


def test_numbers_that_nothing_has() -> None:
    with pytest.raises(UsageError, match=r"\[Image #7\]") as raised:
        parts_of("What is [Image #7]?", OWN, {3: CLIP})
    assert raised.value.hint == "there are: 1, 2, 3"
    with pytest.raises(UsageError) as raised:
        parts_of("[Video #1]", {})
    assert raised.value.hint == "there are none yet; /image PATH adds one"


@given(pieces=st.lists(st.one_of(st.text(), st.sampled_from(["[Image #1]", "[Image #2]", " ", "`"]))))
def test_no_word_is_lost(pieces: list[str]) -> None:
    """Written back, the parts are the text but for blanks; what it does not mention goes before."""
    text = "".join(pieces)
    parts = parts_of(text, OWN)
    unmentioned = [number for number in OWN if number not in numbers_in(text)]
    assert parts[: len(unmentioned)] == [OWN[number] for number in unmentioned]
    labels = {id(part): placeholder(number, "image") for number, part in OWN.items()}
    written = "".join(part if isinstance(part, str) else labels[id(part)] for part in parts[len(unmentioned) :])
    assert "".join(written.split()) == "".join(text.split())
