"""The engine at the edges: nothing to answer, too much, answers that are abandoned, weights that are no numbers."""

import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

import llavacli_core as core

DEMO = Path(core.__file__).parent / "demo_checkpoint"
QUESTION = [core.Message("user", "How many shapes are there?")]


@pytest.fixture(scope="module")
def engine():
    return core.load(DEMO, device="cpu", dtype="float32")


def test_nothing_to_answer(engine):
    with pytest.raises(core.errors.BadOption, match="no message"):
        next(engine.generate([]))


@pytest.mark.parametrize("parts", [42, [42], None])
def test_parts_of_another_kind(engine, parts):
    with pytest.raises(core.errors.BadOption):
        engine.session().generate(parts)


def test_a_prompt_beyond_the_positions(engine):
    with pytest.raises(core.errors.TooLong, match="1024 positions") as caught:
        list(engine.generate([core.Message("user", "shape " * 2000)]))
    assert caught.value.hint == "shorten the text"


def test_an_answer_ends_with_the_positions(engine):
    words = " shape" * 985
    *_, done = engine.generate([core.Message("user", words)], core.Sampling(max_tokens=10**6, repetition_penalty=5.0))
    assert done.usage.prompt_tokens + done.usage.completion_tokens <= 1024
    assert done.finish_reason in ("stop", "length")


def test_an_abandoned_answer_is_forgotten(engine):
    session = engine.session()
    generation = session.generate("How many shapes are there?")
    next(generation)
    generation.close()
    assert session.messages == []
    assert list(generation) == []
    *_, done = session.generate("How many shapes are there?")
    *_, fresh = engine.generate(QUESTION)
    assert done.token_ids == fresh.token_ids


def test_weights_that_are_no_numbers(tmp_path):
    folder = Path(shutil.copytree(DEMO, tmp_path / "checkpoint"))
    tensors = load_file(folder / "model.safetensors")
    name = next(name for name in tensors if name.endswith("norm.weight"))
    tensors[name] = tensors[name] * float("nan")
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(core.errors.BrokenModel, match="not finite"):
        list(core.load(folder, device="cpu").generate(QUESTION, core.Sampling(temperature=1.0)))
