"""Which prompts are computed together: each once, with little padding, and together what begins alike."""

from hypothesis import given
from hypothesis import strategies as st

from llavacli_core.engine.grouping import WASTE, Group, like_beginnings, like_lengths
from llavacli_core.engine.memory import shared_by

lengths = st.lists(st.integers(1, 3000), max_size=40)


@given(lengths, st.integers(1, 5000))
def test_each_prompt_is_in_one_group_with_little_padding_and_within_bounds(lengths, most):
    groups = like_lengths(lengths, most)
    assert sorted(place for group in groups for place in group.members) == list(range(len(lengths)))
    for group in groups:
        inside = [lengths[place] for place in group.members]
        padded = max(inside) * len(inside)
        assert padded <= most or len(inside) == 1
        assert padded - sum(inside) <= WASTE * padded


def test_equal_lengths_are_one_group():
    assert like_lengths([7, 7, 7, 7], 100) == [Group((0, 1, 2, 3))]
    assert like_lengths([7, 70, 7, 70], 1000) == [Group((0, 2)), Group((1, 3))]


def test_what_begins_alike_goes_together_where_that_is_worth_it():
    picture, other = ["a"] * 60, ["b"] * 60
    texts = [[1, *picture, 2, 3], [1, *other, 2], [1, *picture, 4], [1, *other, 5, 6, 7]]

    def groups(texts):
        stems = [tuple(text[: 1 + sum(isinstance(key, str) for key in text)]) for text in texts]
        return like_beginnings(
            stems,
            [len(text) for text in texts],
            1000,
            lambda family: shared_by([texts[place] for place in family]) if len(family) > 1 else 0,
        )

    assert {place: group.shared for group in groups(texts) for place in group.members} == dict.fromkeys(range(4), 61)
    assert all({0, 2} >= {*group.members} or {1, 3} >= {*group.members} for group in groups(texts))
    long = [[1, "a", *range(10, 50)], [1, "a", *range(60, 100)]]
    assert groups(long) == [Group((0, 1))]


def test_no_part_of_a_picture_and_no_last_position_is_shared():
    assert shared_by([[1, "a", "a", "a", 2], [1, "a", "a", "a", 2]]) == 4
    assert shared_by([[1, "a", "a", "a"], [1, "a", "a", "a"]]) == 1
    assert shared_by([[1, "a", "a", 2], [1, "b", "b", 2]]) == 1
    assert shared_by([[1, 2], [3, 2]]) == 0
