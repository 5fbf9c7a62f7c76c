"""Batches side by side say what one batch says, and end as it does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch

import llavacli_core as core
from llavacli_core.engine import lanes
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
    assert lanes.lanes(engine.network, 8) == 2
    assert lanes.lanes(engine.network, 1) == 1
    requests = asked(20)
    assert ids(engine, requests, 8) == ids(engine, requests, 1)


@pytest.mark.usefixtures("two")
def test_threads_are_left_as_they_were(engine: core.Engine):
    ids(engine, asked(3), 8)
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two")
def test_large_networks_are_not_divided(engine: core.Engine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lanes, "SMALL", 2**20)
    assert lanes.lanes(engine.network, 8) == 1


@pytest.mark.usefixtures("two")
def test_quantized_weights_count(monkeypatch: pytest.MonkeyPatch):
    network = core.load("demo", device="cpu", quantize="8bit").network
    assert lanes.lanes(network, 8) == 2
    monkeypatch.setattr(lanes, "SMALL", sum(weight.nbytes for weight in network.parameters()))
    assert lanes.lanes(network, 8) == 1


@pytest.mark.usefixtures("two")
def test_layers_that_come_and_go_have_one_way():
    network = core.load("demo", device="cpu").network
    network.decoder.blocks[3] = Guest(Any, 3, "disk")
    assert lanes.lanes(network, 8) == 1


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
