"""With the device a token ahead of the host, answers and what is remembered of them are what they are step by step.

A graph's replay is the step run again here; tests/gpu has the real one.
"""

import pytest

import llavacli_core as core
from llavacli_core.engine import memory
from llavacli_core.engine.memory import Memory
from llavacli_core.nn.graph import StepGraph
from tests.graphless import run_again

CIRCLES = core.Image("examples/shapes.png")
QUESTION = [core.Message("user", [CIRCLES, "Describe this image in detail."])]
SAMPLINGS = {
    "greedy": core.Sampling(max_tokens=64),
    "one token": core.Sampling(max_tokens=1),
    "cut short": core.Sampling(max_tokens=7),
    "drawn": core.Sampling(max_tokens=40, temperature=1.5, top_p=0.95, top_k=50, seed=7),
    "penalty": core.Sampling(max_tokens=40, repetition_penalty=1.3),
    "stop string": core.Sampling(max_tokens=64, stop=("triangle",)),
}


@pytest.fixture(scope="module")
def engine():
    return core.load("demo", device="cpu", dtype="float32")


@pytest.fixture
def recorded(engine, monkeypatch):
    """Every conversation gets a graph; the list of them."""
    graphs = []

    def graph_of(decoder, cache):
        graphs.append(StepGraph(decoder, cache, run_again))
        return graphs[-1]

    monkeypatch.setattr(memory, "graph_of", graph_of)
    yield graphs
    assert engine.network.decoder.unrecorded is None


@pytest.mark.parametrize("sampling", SAMPLINGS.values(), ids=SAMPLINGS)
def test_answers_are_the_same(engine, monkeypatch, recorded, sampling):
    ahead = list(engine.generate(QUESTION, sampling))
    assert bool(recorded) == (sampling.max_tokens > 1)  # one token needs no step
    monkeypatch.undo()
    plain = list(engine.generate(QUESTION, sampling))
    assert ahead[-1].token_ids == plain[-1].token_ids
    assert ahead[-1].finish_reason == plain[-1].finish_reason
    assert ahead[:-1] == plain[:-1]


def test_turns_share_a_graph_and_their_memory_is_the_same(engine, monkeypatch, recorded):
    def conversation():
        session = engine.session()
        turns = [
            list(session.generate(question, core.Sampling(max_tokens=64)))[-1]
            for question in ([CIRCLES, "What is this?"], "Where is the star?", "Is there a circle?")
        ]
        return [(turn.text, turn.usage) for turn in turns], session._memory

    ahead, ours = conversation()
    assert len(recorded) == 1
    monkeypatch.undo()
    plain, theirs = conversation()
    assert ahead == plain
    assert ours.held == theirs.held
    assert ours.cache.length == theirs.cache.length == len(ours.held)


@pytest.mark.parametrize("end", ["stop", "close"])
def test_an_answer_given_up_leaves_a_memory_that_holds(engine, monkeypatch, recorded, end):
    def conversation():
        session = engine.session()
        events = session.generate([CIRCLES, "Describe this image in detail."], core.Sampling(max_tokens=64))
        for _ in range(4):
            next(events)
        getattr(events, end)()
        list(events)
        held = session._memory.held
        assert session._memory.cache.length == len(held)
        return list(held), list(session.generate("Where is the star?", core.Sampling(max_tokens=32)))[-1].token_ids

    ahead = conversation()
    monkeypatch.undo()
    assert ahead == conversation()


def test_steps_that_cannot_be_recorded_are_computed_one_by_one(engine, monkeypatch):
    def refuses(run, device):
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(engine.network.decoder, "unrecorded", None)
    tried = Memory(engine.network)
    tried.graph = StepGraph(engine.network.decoder, tried.cache, refuses)
    assert tried.recorded() is None
    assert "capturing" in engine.network.decoder.unrecorded


def test_the_answer_that_finds_out_warns_of_it(engine, monkeypatch):
    """Once: the next one does not try again."""

    def refuses(run, device):
        raise RuntimeError("operation not permitted when stream is capturing\nFor debugging consider ...")

    def graph_of(decoder, cache):
        return None if decoder.unrecorded else StepGraph(decoder, cache, refuses)

    def asked():
        return list(engine.generate([core.Message("user", "What is this?")], core.Sampling(max_tokens=4)))[-1]

    monkeypatch.setattr(engine.network.decoder, "unrecorded", None)
    plain = asked()
    monkeypatch.setattr(memory, "graph_of", graph_of)
    first, second = asked(), asked()
    (warning,) = first.warnings
    assert warning.endswith(": operation not permitted when stream is capturing")
    assert second.warnings == plain.warnings == ()
    assert first.token_ids == second.token_ids == plain.token_ids
