"""Memory that gives out in the middle of an answer is an error with advice, and the next answer is none the worse."""

import time

import pytest
import torch

import llavacli_core as core
from llavacli_core.engine import together
from llavacli_core.engine.batch import Batch
from llavacli_core.errors import OutOfMemory
from llavacli_core.nn import cache
from llavacli_core.nn.cache import LayerCache

QUESTION = [core.Message("user", "Where is the star?")]


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()], ids=["device", "host"])
def test_while_tokens_are_made(error, monkeypatch):
    engine = core.load("demo", device="cpu", dtype="float32")
    *_, expected = engine.generate(QUESTION)
    step = engine.network.decoder.step
    taken = []

    def fails(token, cache):
        taken.append(token)
        if len(taken) == 3:
            raise error
        return step(token, cache)

    monkeypatch.setitem(engine.network.decoder.__dict__, "step", fails)
    with pytest.raises(OutOfMemory, match="not enough memory on cpu for an answer") as caught:
        list(engine.generate(QUESTION))
    assert "--max-memory" in caught.value.hint
    *_, again = engine.generate(QUESTION)
    assert again.token_ids == expected.token_ids


def test_a_cache_that_cannot_grow_stays_as_it_was(monkeypatch):
    engine = core.load("demo", device="cpu", dtype="float32")
    session, untroubled = engine.session(), engine.session()
    for each in (session, untroubled):
        finish(each.generate("Where is the star?"))
    made = []

    def fails(*tensors):
        made.append(tensors)
        if len(made) == 3:  # in the middle of the layers
            raise torch.OutOfMemoryError("CUDA out of memory")
        return LayerCache(*tensors)

    with monkeypatch.context() as patched:
        patched.setattr(cache, "LayerCache", fails)
        with pytest.raises(OutOfMemory, match="a prompt of"):
            list(session.generate("shape " * 400))
    assert len(made) == 3
    for question in ("And the circle?", "shape " * 400):
        assert finish(session.generate(question)).token_ids == finish(untroubled.generate(question)).token_ids


def several(count):
    """Answers of different lengths, of which some are drawn."""
    return [
        (
            [core.Message("user", f"How many shapes are there, {place}?")],
            core.Sampling(max_tokens=6 + 5 * place, temperature=place % 2, seed=place),
        )
        for place in range(count)
    ]


def answers(batch):
    """The last event of each request; what was shown before is its text."""
    texts, last = {}, {}
    for index, event in batch:
        if isinstance(event, core.Text):
            texts[index] = texts.get(index, "") + event.text
        else:
            last[index] = event
    assert {index: done.text for index, done in last.items()} == {index: texts.get(index, "") for index in last}
    return last


@pytest.fixture
def one_thread():
    """No helper."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Cramped:
    """A call for which memory fails with some arguments."""

    def __init__(self, call, fails):
        self.call, self.fails, self.calls = call, fails, 0

    def __call__(self, *given, **named):
        self.calls += 1
        if self.fails(*given):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.call(*given, **named)


@pytest.mark.usefixtures("one_thread")
def test_an_answer_that_was_put_aside_fails_to_start_again_and_waits_on(monkeypatch):
    engine = core.load("demo", device="cpu", dtype="float32")
    requests = several(4)
    alone = [finish(engine.generate(*request)) for request in requests]
    failed, starting = [], Batch._start

    def is_full(_, rows):
        time.sleep(0.05 * (len(rows) < 4 and not failed))  # until all four have come
        return len(rows) > 3

    def fails_again(self, starter, group, *rest):
        """Twice, for what was put aside, while others run."""
        if len(failed) < 2 and self.running and all(under.answering for under in group):
            failed.append(group)
            raise OutOfMemory("no room")
        return starting(self, starter, group, *rest)

    monkeypatch.setattr(engine.network, "step", Cramped(engine.network.step, is_full))
    monkeypatch.setattr(Batch, "_start", fails_again)
    last = answers(engine.batch(requests, rows=4))
    assert failed
    assert [last[index].token_ids for index in range(4)] == [done.token_ids for done in alone]


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("what", ["the head", "choosing"])
def test_memory_that_fails_for_scores_or_choosing_is_a_matter_of_rows(what, monkeypatch):
    engine = core.load("demo", device="cpu", dtype="float32")
    requests = several(5)
    alone = [finish(engine.generate(*request)) for request in requests]
    if what == "the head":
        crowded = Cramped(engine.network.decoder.logits, lambda rows: len(rows) > 2)
        monkeypatch.setattr(engine.network.decoder, "logits", crowded)
    else:
        crowded = Cramped(together._chosen, lambda answers, _: len(answers) > 2)
        monkeypatch.setattr(together, "_chosen", crowded)
    last = answers(engine.batch(requests, rows=4))
    assert crowded.calls > 2
    assert [last[index].token_ids for index in range(5)] == [done.token_ids for done in alone]


@pytest.mark.usefixtures("one_thread")
def test_what_was_put_aside_is_interrupted_too(monkeypatch):
    engine = core.load("demo", device="cpu", dtype="float32")
    crowded = Cramped(engine.network.step, lambda _, rows: len(rows) > 1)
    monkeypatch.setattr(engine.network, "step", crowded)
    batch = engine.batch(several(4), rows=4)
    shown, last = set(), {}
    for index, event in batch:
        if isinstance(event, core.Text):
            shown.add(index)
            if crowded.calls > 3 and len(shown) == 4:  # one runs, three wait
                batch.stop()
        else:
            last[index] = event
    assert set(last) == shown == {0, 1, 2, 3}
    assert "interrupted" in {done.finish_reason for done in last.values()}


def finish(generation):
    *_, done = generation
    return done
