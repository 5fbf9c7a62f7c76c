"""Choosing the next token: the distribution is transformers', the draw is the seed's."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.generation import logits_process as reference

from llavacli_core.config import GenerationDefaults
from llavacli_core.engine.sampling import Chooser, narrowed, penalise
from llavacli_core.engine.settled import Settled, settle
from llavacli_core.errors import BadOption
from llavacli_core.options import Sampling

VOCABULARY = 50
optional = st.none()


@pytest.mark.parity
@given(
    seed=st.integers(0, 10**6),
    temperature=st.floats(0.05, 5),
    top_k=optional | st.integers(1, 2 * VOCABULARY),
    top_p=optional | st.floats(0.01, 1),
    min_p=optional | st.floats(0, 1),
    keep=st.integers(1, 5),
)
@settings(max_examples=200, deadline=None)
def test_distribution_is_the_references(seed, temperature, top_k, top_p, min_p, keep):
    logits = torch.randn(1, VOCABULARY, generator=torch.Generator().manual_seed(seed)) * 3
    steps = [reference.TemperatureLogitsWarper(temperature)]
    steps += [] if top_k is None else [reference.TopKLogitsWarper(top_k, min_tokens_to_keep=keep)]
    steps += [] if top_p is None else [reference.TopPLogitsWarper(top_p, min_tokens_to_keep=keep)]
    steps += [] if min_p is None else [reference.MinPLogitsWarper(min_p, min_tokens_to_keep=keep)]
    expected = reference.LogitsProcessorList(steps)(torch.tensor([[0]]), logits).softmax(-1)
    sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    torch.testing.assert_close(narrowed(logits, sampling, keep).softmax(-1), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parity
@given(seen=st.lists(st.integers(0, VOCABULARY - 1), min_size=1), penalty=st.floats(0.1, 10))
@settings(max_examples=100, deadline=None)
def test_repetition_penalty_is_the_references(seen, penalty):
    logits = torch.randn(1, VOCABULARY, generator=torch.Generator().manual_seed(7))
    mask = torch.zeros(VOCABULARY, dtype=torch.bool)
    mask[seen] = True
    expected = reference.RepetitionPenaltyLogitsProcessor(penalty)(torch.tensor([seen]), logits.clone())
    torch.testing.assert_close(penalise(logits, mask, penalty), expected)


def settled(sampling: Sampling) -> Settled:
    return settle(sampling, GenerationDefaults(), (), prompt=3, positions=1000, captions=False)


def draws(sampling: Sampling, count: int = 30) -> list[int]:
    choose = Chooser(settled(sampling), [1, 2, 3], torch.zeros(1, VOCABULARY))
    generator = torch.Generator().manual_seed(3)
    return [int(choose(torch.randn(1, VOCABULARY, generator=generator), [])) for _ in range(count)]


def test_a_seed_repeats_its_draws():
    assert draws(Sampling(temperature=2, seed=5)) == draws(Sampling(temperature=2, seed=5))
    assert draws(Sampling(temperature=2, seed=5)) != draws(Sampling(temperature=2, seed=6))


def test_without_a_seed_draws_differ():
    assert draws(Sampling(temperature=2)) != draws(Sampling(temperature=2))


@pytest.mark.parametrize("sampling", [Sampling(temperature=1, top_k=1), Sampling(temperature=1, top_p=1e-6)])
def test_the_likeliest_alone_is_greedy(sampling):
    assert draws(sampling) == draws(Sampling())


def test_what_was_chosen_counts_as_repeated():
    logits = torch.tensor([[9.0, 8.0, 7.0]])
    choose = Chooser(settled(Sampling(repetition_penalty=100)), [0], logits)
    assert [int(choose(logits, [])) for _ in range(3)] == [1, 2, 0]


@pytest.mark.parametrize(
    "values",
    [
        {"temperature": -1},
        {"temperature": 1e-320},
        {"temperature": float("nan")},
        {"top_p": 0},
        {"top_p": 1.5},
        {"top_k": 0},
        {"min_p": -0.1},
        {"max_tokens": 0},
        {"repetition_penalty": 0},
        {"seed": -1},
        {"beams": 0},
        {"stop": ("",)},
        {"temperature": "hot"},
        {"max_tokens": 1.5},
        {"length_penalty": float("nan")},
        {"early_stopping": "always"},
        {"no_repeat_ngram_size": -1},
    ],
)
def test_values_out_of_range_are_refused(values):
    with pytest.raises(BadOption, match=next(iter(values)).split("_")[0]):
        Sampling(**values)
