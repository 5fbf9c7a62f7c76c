"""Rules on scores are the reference's; lengths are settled as the reference settles them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.generation import logits_process as reference

from llavacli_core.config import GenerationDefaults
from llavacli_core.engine.rules import Rules
from llavacli_core.engine.settled import CAPTION_TOKENS, CHAT_TOKENS, settle
from llavacli_core.options import Sampling

VOCABULARY = 6
ids = st.integers(0, VOCABULARY - 1)


def settled(defaults, sampling=None, *, prompt=1, positions=1000, captions=True, stop_ids=(2,)):
    sampling = Sampling() if sampling is None else sampling
    return settle(sampling, defaults, stop_ids, prompt=prompt, positions=positions, captions=captions)


@pytest.mark.parity
@given(
    prompt=st.lists(ids, min_size=1, max_size=4),
    rows=st.lists(st.lists(ids, min_size=6, max_size=6), min_size=1, max_size=3),
    length=st.integers(0, 6),
    size=st.integers(0, 4),
    least=st.integers(0, 9),
)
@settings(max_examples=200, deadline=None)
def test_repeated_ngrams_and_early_ends_are_ruled_out_as_in_the_reference(prompt, rows, length, size, least):
    said = [row[:length] for row in rows]
    scores = torch.randn(len(said), VOCABULARY, generator=torch.Generator().manual_seed(1))
    steps = [reference.MinLengthLogitsProcessor(least, 2)] if least else []
    steps += [reference.NoRepeatNGramLogitsProcessor(size)] if size else []
    before = torch.tensor([prompt + line for line in said])
    expected = reference.LogitsProcessorList(steps)(before, scores.clone())
    wanted = settled(GenerationDefaults(min_length=least, no_repeat_ngram_size=size), prompt=len(prompt))
    given_scores = scores.clone()
    torch.testing.assert_close(Rules(wanted, prompt)(scores, said), expected)
    assert torch.equal(scores, given_scores)  # the scores handed in are left alone


@pytest.mark.parametrize(("prompt", "expected"), [(1, 3), (2, None)])
def test_a_forced_first_id_holds_behind_a_lone_start_token(prompt, expected):
    rules = Rules(settled(GenerationDefaults(forced_bos_token_id=3), prompt=prompt), [0] * prompt)
    scores = torch.tensor([[9.0, 0, 0, 0, 0, 0]])
    assert int(rules(scores, [[]]).argmax()) == (0 if expected is None else expected)
    assert int(rules(scores, [[1]]).argmax()) == 0


def test_a_forced_last_id_holds_at_the_limit():
    rules = Rules(settled(GenerationDefaults(forced_eos_token_id=(2,)), Sampling(max_tokens=4)), [0])
    scores = torch.tensor([[9.0, 0, 0, 0, 0, 0]])
    assert [int(rules(scores, [[5] * length]).argmax()) for length in range(4)] == [0, 0, 0, 2]


@pytest.mark.parity
@pytest.mark.parametrize("length", [0, 1])
def test_suppressed_ids_are_those_of_the_reference(length):
    rules = Rules(settled(GenerationDefaults(suppress_tokens=(1, 4), begin_suppress_tokens=(5,))), [0])
    scores, said = torch.randn(1, VOCABULARY, generator=torch.Generator().manual_seed(2)), [3] * length
    steps = [reference.SuppressTokensLogitsProcessor([1, 4]), reference.SuppressTokensAtBeginLogitsProcessor([5], 1)]
    expected = reference.LogitsProcessorList(steps)(torch.tensor([[0, *said]]), scores.clone())
    torch.testing.assert_close(rules(scores, [said]), expected)


@pytest.mark.parametrize(
    ("defaults", "asked", "captions", "expected"),
    [
        (GenerationDefaults(), None, False, CHAT_TOKENS),
        (GenerationDefaults(), None, True, CAPTION_TOKENS),
        (GenerationDefaults(max_length=12), None, True, 11),
        (GenerationDefaults(max_length=1), None, True, 1),
        (GenerationDefaults(max_length=12, max_new_tokens=30), None, True, 30),
        (GenerationDefaults(max_length=12), 40, True, 40),
        (GenerationDefaults(max_length=12), None, False, CHAT_TOKENS),
    ],
)
def test_how_long_an_answer_may_be(defaults, asked, captions, expected):
    found = settled(defaults, Sampling(max_tokens=asked), captions=captions)
    assert (found.max_tokens, found.limit) == (expected, expected)


def test_positions_bound_the_limit():
    found = settled(GenerationDefaults(), Sampling(max_tokens=100), prompt=10, positions=50)
    assert (found.max_tokens, found.limit) == (100, 40)


def test_the_callers_wishes_outrank_the_checkpoints():
    defaults = GenerationDefaults(length_penalty=2.0, early_stopping=True, no_repeat_ngram_size=3)
    own = settled(defaults)
    assert (own.length_penalty, own.early_stopping, own.no_repeat_ngram_size) == (2.0, True, 3)
    asked = settled(defaults, Sampling(length_penalty=0.5, early_stopping="never", no_repeat_ngram_size=0))
    assert (asked.length_penalty, asked.early_stopping, asked.no_repeat_ngram_size) == (0.5, "never", 0)


@pytest.mark.parametrize("forced", [None, 3])
def test_what_no_answer_may_begin_with_is_meant_of_the_first_free_id(forced):
    defaults = GenerationDefaults(forced_bos_token_id=forced, begin_suppress_tokens=(0,))
    rules = Rules(settled(defaults), [0])
    scores = torch.tensor([[9.0, 8, 0, 0, 0, 0]])
    said = [int(rules(scores, [[5] * length]).argmax()) for length in range(3)]
    assert said == ([1, 0, 0] if forced is None else [3, 1, 0])


@pytest.mark.parametrize("outside", [-1, VOCABULARY, VOCABULARY + 1000])
def test_ids_that_there_are_no_scores_of_rule_nothing_out(outside):
    defaults = GenerationDefaults(
        suppress_tokens=(outside, 4), begin_suppress_tokens=(outside,), forced_eos_token_id=(outside,)
    )
    scores = torch.randn(1, VOCABULARY, generator=torch.Generator().manual_seed(2))
    expected = scores.clone()
    expected[:, 4] = float("-inf")
    rules = Rules(settle(Sampling(max_tokens=3), defaults, (outside,), prompt=2, positions=99, captions=False), [0, 0])
    for length in range(2):
        assert torch.equal(rules(scores, [[5] * length]), expected)
    assert torch.equal(rules(scores, [[5, 5]]), scores)  # forced to what is not there: nothing is
