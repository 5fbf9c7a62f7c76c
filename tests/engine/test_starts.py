"""A batch that is helped says what it says alone, and ends as it does."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import llavacli_core as core
from llavacli_core.engine import starts, threads
from llavacli_core.engine.grouping import Group, like_lengths
from llavacli_core.engine.starting import Conversations
from llavacli_core.engine.threads import may_be_helped
from llavacli_core.engine.together import Together
from llavacli_core.errors import OutOfMemory
from llavacli_core.messages import Image, Message
from llavacli_core.nn.guests import Guest
from tests.media.files import noise

ASKED = "What is this?"


@pytest.fixture(scope="module")
def engine() -> core.Engine:
    return core.load("demo", device="cpu", dtype="float32")


@pytest.fixture
def two() -> Iterator[None]:
    """A machine of two cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


def asked(count: int, tokens: int = 12) -> list[tuple[list[Message], core.Sampling]]:
    return [
        ([Message("user", [Image(noise(30 + 7 * place, 50)), ASKED])], core.Sampling(max_tokens=tokens, seed=place))
        for place in range(count)
    ]


def ids(engine: core.Engine, requests: Any, rows: int) -> dict[int, Any]:
    return {
        index: event.token_ids for index, event in engine.batch(requests, rows=rows) if isinstance(event, core.Done)
    }


@pytest.mark.usefixtures("two")
def test_they_say_what_one_says(engine: core.Engine):
    assert may_be_helped(engine.network, 2)
    assert not may_be_helped(engine.network, 1)
    requests = asked(20)
    alone = ids(engine, requests, 1)
    for rows in (2, 3, 8, 32):
        assert ids(engine, requests, rows) == alone


@pytest.mark.usefixtures("two")
def test_no_more_run_together_than_there_are_rows(engine: core.Engine, monkeypatch: pytest.MonkeyPatch):
    most, step = [], Together.step

    def counted(self: Any) -> Any:
        most.append(len(self.answers))
        return step(self)

    monkeypatch.setattr(Together, "step", counted)
    ids(engine, asked(24), 5)
    assert max(most) == 5
    words = [([Message("user", ["Hi."])], core.Sampling(max_tokens=3))] * 24  # as many as there are fit into one group
    most.clear()
    ids(engine, words, 5)
    assert max(most) == 5


def test_a_batch_that_is_left_lying_keeps_no_process_alive():
    script = """
import torch, llavacli_core as core
torch.set_num_threads(2)
batch = core.load("demo", device="cpu").batch([([core.Message("user", ["Hi."])], None)] * 9, rows=4)
next(batch)
"""
    assert subprocess.run([sys.executable, "-c", script], timeout=60, check=False).returncode == 0


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("error", [OutOfMemory("no room"), RuntimeError("a bug")], ids=["memory", "a bug"])
def test_what_the_helper_fails_for(engine: core.Engine, monkeypatch: pytest.MonkeyPatch, error: Exception):
    """A group that finds no memory is tried again, by halves; any other error ends the batch."""
    start = Conversations.start

    def failing(self: Any, requests: Any, shared: int, seen: Any) -> Any:
        if threading.current_thread().name.startswith("helper"):
            raise error
        return start(self, requests, shared, seen)

    requests = asked(12)
    alone = ids(engine, requests, 1)
    monkeypatch.setattr(Conversations, "start", failing)
    if isinstance(error, OutOfMemory):
        assert ids(engine, requests, 8) == alone
    else:
        with pytest.raises(RuntimeError, match="a bug"):
            ids(engine, requests, 8)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("helper")]


@pytest.mark.usefixtures("two")
def test_whoever_takes_events_has_all_threads(engine: core.Engine):
    """In whatever order answers begin and end."""
    generations = [engine.batch(asked(3), 8), engine.batch(asked(1), 1), engine.generate(*asked(1)[0])]
    for generation in generations:
        next(generation)
        assert torch.get_num_threads() == 2
    for generation in generations:
        generation.close()
        assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two")
def test_one_core_computes_a_tiny_network(engine: core.Engine, monkeypatch: pytest.MonkeyPatch):
    assert engine.is_tiny
    seen, step = [], Together.step

    def watched(self: Any) -> Any:
        seen.append(torch.get_num_threads())
        return step(self)

    monkeypatch.setattr(Together, "step", watched)
    ids(engine, asked(2), 1)
    assert set(seen) == {1}
    monkeypatch.setattr(threads, "TINY", 2**20)
    assert not engine.is_tiny
    seen.clear()
    ids(engine, asked(2), 1)
    assert set(seen) == {2}


@pytest.mark.usefixtures("two")
def test_large_networks_use_all_cores_as_they_are(engine: core.Engine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(threads, "SMALL", 2**20)
    assert not may_be_helped(engine.network, 8)


@pytest.mark.usefixtures("two")
def test_quantized_weights_count(monkeypatch: pytest.MonkeyPatch):
    network = core.load("demo", device="cpu", quantize="8bit").network
    assert may_be_helped(network, 8)
    monkeypatch.setattr(threads, "SMALL", sum(weight.nbytes for weight in network.parameters()))
    assert not may_be_helped(network, 8)


@pytest.mark.usefixtures("two")
def test_layers_that_come_and_go_have_one_way():
    network = core.load("demo", device="cpu").network
    network.decoder.blocks[3] = Guest(Any, 3, "disk")
    assert not may_be_helped(network, 8)


@pytest.mark.usefixtures("two")
def test_stopping_interrupts_all(engine: core.Engine):
    generation = engine.batch(asked(12, tokens=500), rows=8)
    reasons = []
    for count, (_, event) in enumerate(generation):
        if count == 20:
            generation.stop()
        if isinstance(event, core.Done):
            reasons.append(event.finish_reason)
    assert "interrupted" in reasons


@pytest.mark.usefixtures("two")
def test_a_batch_that_is_given_up_ends_soon(engine: core.Engine):
    generation = engine.batch(asked(12, tokens=500), rows=8)
    next(generation)
    started = time.monotonic()
    generation.close()
    assert time.monotonic() - started < 10


@pytest.mark.usefixtures("two")
def test_what_the_requests_raise_comes_after_the_answers(engine: core.Engine):
    def requests() -> Iterator[Any]:
        yield from asked(10)
        raise KeyError("broken")

    done = []

    def run() -> None:
        done.extend(index for index, event in engine.batch(requests(), rows=8) if isinstance(event, core.Done))

    with pytest.raises(KeyError, match="broken"):
        run()
    assert sorted(done) == list(range(10))


@pytest.mark.usefixtures("two")
def test_a_fault_in_grouping_ends_the_batch(engine: core.Engine, monkeypatch: pytest.MonkeyPatch):
    groups = Conversations.groups

    def failing(self: Any, requests: Any) -> Any:
        if threading.current_thread().name.startswith("helper"):
            raise RuntimeError("a bug")
        return groups(self, requests)

    monkeypatch.setattr(Conversations, "groups", failing)
    with pytest.raises(RuntimeError, match="a bug"):
        ids(engine, asked(24), 8)


def test_nobody_is_overtaken_for_ever():
    """The group of whoever waits longest is started first, however well others would fit together."""

    class ByLength:
        def groups(self, requests: Any) -> list[Group]:
            return like_lengths([len(request) for request in requests], 100)

        def start(self, *_: Any) -> Any:
            return None

    starting: starts.Starts[Any] = starts.Starts(lambda starter, members, _: members, ByLength(), None, 1)  # type: ignore[arg-type, return-value]
    for words in ("a long one, the first", "a", "b", "c", "d"):
        starting.add(SimpleNamespace(request=words))
    first, second = starting.start(8), starting.start(8)
    assert first is not None
    assert second is not None
    assert [each.request for each in first.members] == ["a long one, the first"]
    assert [each.request for each in second.members] == ["a", "b", "c", "d"]
