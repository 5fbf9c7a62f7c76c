"""Stop strings, fed in pieces cut anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llavacli_core.prompt.stopping import StopText

letters = st.text(alphabet="ab\n", min_size=1, max_size=4)


def fed(stops, pieces):
    stopper = StopText(tuple(stops))
    shown = []
    for piece in pieces:
        text, stopped = stopper.push(piece)
        shown.append(text)
        if stopped:
            return "".join(shown), True
    return "".join(shown) + stopper.finish(), False


def naive(stops, text):
    """The text before the stop string that ends first; of those ending together, before the longest."""
    for end in range(1, len(text) + 1):
        found = [stop for stop in stops if text[:end].endswith(stop)]
        if found:
            return text[: end - max(map(len, found))], True
    return text, False


@given(st.lists(letters, max_size=3), st.lists(st.text(alphabet="ab\n", max_size=5), max_size=8))
def test_as_the_definition(stops, pieces):
    assert fed(stops, pieces) == naive(stops, "".join(pieces))


@given(st.lists(letters, max_size=3), st.lists(st.text(alphabet="ab\n", max_size=5), max_size=8))
def test_only_a_possible_start_is_held_back(stops, pieces):
    stopper = StopText(tuple(stops))
    shown = ""
    for length in range(1, len(pieces) + 1):
        text, stopped = stopper.push(pieces[length - 1])
        shown += text
        if stopped:
            return
        held = "".join(pieces[:length]).removeprefix(shown)
        assert not held or any(stop.startswith(held) for stop in stops)


@pytest.mark.parametrize(
    ("stops", "text", "expected"),
    [
        (("###",), "one ## two ### three", "one ## two "),
        (("b", "ab"), "xab", "x"),  # both end here: the longer counts
        (("abc", "b"), "xabc", "xa"),  # the shorter ends first
        (("\n\n",), "one\n", "one\n"),
        ((), "anything", "anything"),
    ],
)
def test_examples(stops, text, expected):
    assert fed(stops, text)[0] == expected


def test_after_a_stop_nothing_is_shown():
    stopper = StopText(("!",))
    assert stopper.push("yes! no") == ("yes", True)
    assert stopper.push("more") == ("", True)
    assert stopper.finish() == ""


@given(st.lists(letters, max_size=3), st.text(alphabet="ab\n", max_size=8), st.text(alphabet="ab\n", max_size=8))
def test_behind_what_was_shown_it_is_as_if_not_cut(stops, before, after):
    whole, stopped = naive(stops, before + after)
    stopper = StopText(tuple(stops))
    again = stopper.follow(before)
    assert before.endswith(again)
    if naive(stops, before)[1]:
        return  # other stop strings counted then
    shown, ended = stopper.push(after)
    assert before.removesuffix(again) + shown + stopper.finish() == whole
    assert ended == stopped
