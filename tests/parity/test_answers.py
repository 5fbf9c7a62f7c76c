"""How answers end and how they are chosen: stop ids, the limit, stop strings, penalties, seeds."""

import json

import pytest
import torch

from llavacli_core.options import Sampling
from tests.parity.asking import assert_same, finish
from tests.reference import ANSWER_LENGTH, rewriting
from tests.reference.cases import BY_NAME

pytestmark = pytest.mark.parity

CASE = BY_NAME["photo"]
BASE = "next-llama3"
EOT, END_OF_TEXT = "<|eot_id|>", "<|end_of_text|>"


def first_of_its_kind(ids, least):
    """The place, from `least` on, of an id that does not occur before it."""
    return next(place for place in range(least, len(ids)) if ids[place] not in ids[:place])


def swapped_rows(folder, one, other):
    """The model says `other` where it would have said `one`."""
    tensors = rewriting.weights(folder)
    head = tensors["language_model.lm_head.weight"]
    head[[one, other]] = head[[other, one]]
    rewriting.resave(folder, tensors)


def in_generation_config(folder, ids):
    rewriting.edited(folder, "generation_config.json", lambda values: values.update(eos_token_id=ids))


def in_config(folder, ids):
    rewriting.without_generation_config(folder)
    rewriting.edited(folder, "config.json", lambda values: values["text_config"].update(eos_token_id=ids))


@pytest.fixture
def ending(checkpoint, reference, answer, tmp_path):
    """A checkpoint that says `token` as the first new id from the eleventh on, where `place` names the stop ids."""

    def make(token, stop_tokens, place):
        tokenizer = reference(BASE).processor.tokenizer
        ids = answer(BASE, CASE.name).token_ids
        at = first_of_its_kind(ids, 10)
        folder = rewriting.copied(checkpoint(BASE), tmp_path / "checkpoint")
        swapped_rows(folder, ids[at], tokenizer.convert_tokens_to_ids(token))
        place(folder, tokenizer.convert_tokens_to_ids(stop_tokens))
        return folder, (*ids[:at], tokenizer.convert_tokens_to_ids(token))

    return make


@pytest.mark.parametrize("place", [in_generation_config, in_config])
@pytest.mark.parametrize("token", [EOT, END_OF_TEXT])
def test_every_stop_id_stops(token, place, ending, engine, reference):
    folder, ids = ending(token, [EOT, END_OF_TEXT], place)
    expected = reference(folder).answer(CASE, ANSWER_LENGTH)
    assert expected.token_ids == ids
    done = assert_same(engine(folder), CASE, expected, ANSWER_LENGTH)
    assert done.finish_reason == "stop"
    assert done.usage.completion_tokens == len(ids)


def test_a_special_token_that_is_no_stop_id_does_not_stop(ending, engine, reference):
    folder, ids = ending(END_OF_TEXT, [EOT], in_generation_config)
    expected = reference(folder).answer(CASE, ANSWER_LENGTH)
    assert expected.token_ids[: len(ids)] == ids
    assert len(expected.token_ids) == ANSWER_LENGTH
    assert_same(engine(folder), CASE, expected, ANSWER_LENGTH)


def test_generation_config_outranks_config(ending, engine):
    folder, ids = ending(END_OF_TEXT, [END_OF_TEXT], in_generation_config)
    config = json.loads((folder / "config.json").read_text())
    assert config["text_config"]["eos_token_id"] != ids[-1]
    done = finish(engine(folder).generate(CASE.messages, Sampling(max_tokens=ANSWER_LENGTH)))
    assert done.token_ids == ids


@pytest.mark.parametrize("limit", [1, 7])
def test_the_limit(limit, engine, answer):
    done = finish(engine(BASE).generate(CASE.messages, Sampling(max_tokens=limit)))
    assert done.token_ids == answer(BASE, CASE.name).token_ids[:limit]
    assert done.finish_reason == "length"


def test_a_stop_string_cuts_the_text(engine, answer):
    text = answer(BASE, CASE.name).text
    stop = text[len(text) // 2 :][:3]
    done = finish(engine(BASE).generate(CASE.messages, Sampling(max_tokens=ANSWER_LENGTH, stop=(stop,))))
    assert done.text == text[: text.index(stop)]
    assert done.finish_reason == "stop"


@pytest.mark.parametrize("base", ["llava-1.5", "llava-interleave", "next-mistral"])
def test_greedy_with_a_repetition_penalty(base, engine, reference):
    inputs = reference(base).inputs(CASE)
    options = {"max_new_tokens": ANSWER_LENGTH, "do_sample": False, "repetition_penalty": 1.7}
    with torch.inference_mode():
        ids = reference(base).model.generate(**inputs, **options)[0, inputs["input_ids"].shape[1] :].tolist()
    sampling = Sampling(max_tokens=ANSWER_LENGTH, repetition_penalty=1.7)
    assert finish(engine(base).generate(CASE.messages, sampling)).token_ids == tuple(ids)


def test_a_seed_repeats_its_answer_and_another_does_not(engine):
    def said(seed):
        sampling = Sampling(max_tokens=20, temperature=1.5, top_p=0.95, seed=seed)
        return finish(engine(BASE).generate(CASE.messages, sampling)).token_ids

    assert said(3) == said(3)
    assert said(3) != said(4)


def test_the_likeliest_of_one_is_greedy(engine, answer):
    sampling = Sampling(max_tokens=ANSWER_LENGTH, temperature=2.0, top_k=1, seed=0)
    done = finish(engine(BASE).generate(CASE.messages, sampling))
    assert done.token_ids == answer(BASE, CASE.name).token_ids


def test_stopping_keeps_what_was_said(engine, answer):
    generation = engine(BASE).generate(CASE.messages, Sampling(max_tokens=ANSWER_LENGTH))
    pieces = [next(generation)]
    generation.stop()
    *more, done = list(generation)
    assert done.finish_reason == "interrupted"
    assert done.text == "".join(piece.text for piece in [*pieces, *more])
    assert done.token_ids == answer(BASE, CASE.name).token_ids[: len(done.token_ids)]
    assert len(done.token_ids) < ANSWER_LENGTH
