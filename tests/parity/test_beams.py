"""Beam search gives the reference's beams, whatever the penalties and the manner of stopping."""

import pytest
import torch

from llavacli_core.options import Sampling
from tests.parity.asking import finish
from tests.reference.cases import BY_NAME

pytestmark = pytest.mark.parity

LENGTH = 24


def expected(reference, case, **options):
    inputs = reference.inputs(case)
    options = {"max_new_tokens": LENGTH, "do_sample": False, **options}
    with torch.inference_mode():
        ids = reference.model.generate(**inputs, **options)[0, inputs["input_ids"].shape[1] :].tolist()
    return tuple(ids)


@pytest.mark.parametrize("beams", [2, 3, 4])
@pytest.mark.parametrize("base", ["llava-1.5", "next-mistral-window", "next-qwen"])
def test_beams(base, beams, engine, reference):
    case = BY_NAME["photo"]
    done = finish(engine(base).generate(case.messages, Sampling(max_tokens=LENGTH, beams=beams)))
    assert done.token_ids == expected(reference(base), case, num_beams=beams)


ENDING = "ending"  # a checkpoint whose answers end early, so that beams finish while others run


@pytest.fixture(scope="module")
def ending(checkpoint, tmp_path_factory):
    """`llava-1.5` with an end of sequence that is often among the likeliest."""
    from tests.reference import rewriting

    folder = rewriting.copied(checkpoint("llava-1.5"), tmp_path_factory.mktemp(ENDING) / "checkpoint")
    tensors = rewriting.weights(folder)
    head = tensors["language_model.lm_head.weight"]
    head[2] *= 25
    rewriting.resave(folder, tensors)
    return folder


@pytest.mark.parametrize("early", [False, True, "never"])
@pytest.mark.parametrize("penalty", [0.0, 1.0, 2.5])
def test_penalties_and_manners_of_stopping(early, penalty, ending, engine, reference):
    lengths = set()
    for name in ("photo", "57x56", "text only"):
        case = BY_NAME[name]
        sampling = Sampling(max_tokens=LENGTH, beams=4, length_penalty=penalty, early_stopping=early)
        done = finish(engine(ending).generate(case.messages, sampling))
        ids = expected(reference(ending), case, num_beams=4, length_penalty=penalty, early_stopping=early)
        assert done.token_ids == ids
        assert done.finish_reason == ("stop" if ids[-1] == 2 else "length")
        lengths.add(len(ids))
    assert penalty > 1 or min(lengths) < LENGTH  # some end by themselves


def test_beams_with_rules(ending, engine, reference):
    case = BY_NAME["photo"]
    sampling = Sampling(max_tokens=LENGTH, beams=3, no_repeat_ngram_size=2, repetition_penalty=1.3)
    done = finish(engine(ending).generate(case.messages, sampling))
    options = {"num_beams": 3, "no_repeat_ngram_size": 2, "repetition_penalty": 1.3}
    assert done.token_ids == expected(reference(ending), case, **options)


@pytest.mark.parametrize("name", ["photo", "57x56", "text only"])
def test_sampled_beams_of_what_is_no_choice(name, ending, engine, reference):
    """The two likeliest of each beam stay, as many as are drawn: nothing is left to chance."""
    case = BY_NAME[name]
    done = finish(
        engine(ending).generate(case.messages, Sampling(max_tokens=LENGTH, beams=2, temperature=0.8, top_k=1, seed=1))
    )
    how = {"num_beams": 2, "do_sample": True, "temperature": 0.8, "top_k": 1}
    assert done.token_ids == expected(reference(ending), case, **how)


def test_a_seed_repeats_sampled_beams(engine):
    def said(seed):
        sampling = Sampling(max_tokens=8, beams=3, temperature=1.5, top_k=20, seed=seed)
        return finish(engine("llava-1.5").generate(BY_NAME["photo"].messages, sampling)).token_ids

    assert said(1) == said(1)
    assert said(1) != said(2)


def test_beams_in_a_conversation_leave_its_memory_true(engine, reference):
    case = BY_NAME["text only"]
    session = engine("llava-1.5").session()
    finish(session.generate(list(case.messages[0].parts), Sampling(max_tokens=8, beams=3)))
    done = finish(session.generate("And of Spain?", Sampling(max_tokens=8)))
    fresh = finish(engine("llava-1.5").generate(session.messages[:-1], Sampling(max_tokens=8)))
    assert done.token_ids == fresh.token_ids
