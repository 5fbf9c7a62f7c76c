"""Every family, every kind of picture and of words: prompt, prompt ids and greedy ids equal the reference's."""

import pytest

from llavacli_core.portions import CACHE_BLOCK
from tests.parity.asking import assert_same
from tests.reference import ANSWER_LENGTH, cases
from tests.reference.cases import CLIPS, FILES, MIXED, MODES, PHOTO, ROUNDED, SEVERAL, SIZES, TURNS, WORDS, about
from tests.reference.pictures import photo

pytestmark = pytest.mark.parity

CASES = {
    "llava-1.5": cases.CASES,
    "llava-interleave": cases.CASES,
    "next-vicuna": (PHOTO, *MODES, *FILES, *TURNS),
    "next-mistral": cases.CASES,
    "next-mistral-window": (PHOTO, *SEVERAL, *TURNS),
    "next-qwen": (PHOTO, *SIZES, *SEVERAL, *TURNS),
    "next-siglip": (PHOTO, *SEVERAL, *TURNS),
    "next-llama3": (PHOTO, *SEVERAL, *TURNS, *WORDS),
    "next-yi": (PHOTO, *SIZES, *TURNS, *WORDS),
    "next-336": (PHOTO, *SIZES, *ROUNDED, *SEVERAL),
    "vip": (PHOTO, *SEVERAL, *TURNS),
    "video": (PHOTO, *SEVERAL, *TURNS, *CLIPS, *MIXED),
    "video-linear": (PHOTO, CLIPS[1], *MIXED),
    "video-max": (PHOTO, *CLIPS, *MIXED),
    "video-conv": (PHOTO, CLIPS[0], *MIXED),
    "video-mistral": (PHOTO, CLIPS[1], *MIXED),
}
PAIRS = [pytest.param(base, case, id=f"{base}-{case.name}") for base, chosen in CASES.items() for case in chosen]


LONG = {
    "llava-1.5": about("long", photo(6), "What is shown in this image? " * 21),
    "next-mistral": about("long", photo(6), "What is shown in this image? " * 15),
    "next-mistral-window": about("long", photo(6), "What is shown in this image? " * 20),
    "next-qwen": about("long", photo(6), "What is shown in this image? " * 20),
}


@pytest.mark.parametrize(("base", "case"), PAIRS)
def test_greedy_ids_equal_the_references(base, case, engine, answer):
    expected = answer(base, case.name)
    assert len(expected.token_ids) == ANSWER_LENGTH
    assert_same(engine(base), case, expected, ANSWER_LENGTH)


@pytest.mark.parametrize(("base", "case"), LONG.items(), ids=LONG)
def test_long_answers(base, case, engine, reference):
    """Long enough for the KV cache to grow while tokens are made."""
    expected = reference(base).answer(case, 96)
    assert len(expected.prompt_ids) < CACHE_BLOCK < len(expected.prompt_ids) + 80
    assert_same(engine(base), case, expected, 96)
