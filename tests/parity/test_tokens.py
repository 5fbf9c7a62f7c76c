"""Every family, every kind of picture and of words: prompt, prompt ids and greedy ids equal the reference's."""

import pytest

from tests.parity.asking import assert_same
from tests.reference import ANSWER_LENGTH, cases
from tests.reference.cases import FILES, MODES, PHOTO, SEVERAL, SIZES, TURNS, WORDS

pytestmark = pytest.mark.parity

CASES = {
    "llava-1.5": cases.CASES,
    "llava-interleave": cases.CASES,
    "next-vicuna": (PHOTO, *MODES, *FILES, *TURNS),
    "next-mistral": cases.CASES,
    "next-mistral-window": (PHOTO, *SEVERAL, *TURNS),
    "next-qwen": (PHOTO, *SIZES, *SEVERAL, *TURNS),
    "next-llama3": (PHOTO, *SEVERAL, *TURNS, *WORDS),
    "next-yi": (PHOTO, *SIZES, *TURNS, *WORDS),
    "next-336": (PHOTO, *SIZES, *SEVERAL),
}
PAIRS = [pytest.param(base, case, id=f"{base}-{case.name}") for base, chosen in CASES.items() for case in chosen]


@pytest.mark.parametrize(("base", "case"), PAIRS)
def test_greedy_ids_equal_the_references(base, case, engine, answer):
    expected = answer(base, case.name)
    assert len(expected.token_ids) == ANSWER_LENGTH
    assert_same(engine(base), case, expected, ANSWER_LENGTH)
