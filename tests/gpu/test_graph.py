"""The decode step as a CUDA graph: recorded on a device, it says what the plain steps say."""

import pytest
import torch

import llavacli_core as core
from llavacli_core.engine import memory
from llavacli_core.nn import graph
from llavacli_core.nn.graph import record_cuda

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

QUESTION = [core.Message("user", [core.Image("examples/shapes.png"), "Describe this image in detail."])]


@pytest.mark.parametrize(
    "sampling",
    [core.Sampling(max_tokens=64), core.Sampling(max_tokens=64, temperature=1.0, top_p=0.9, seed=3)],
    ids=["greedy", "drawn"],
)
def test_a_replayed_step_says_what_a_plain_one_says(monkeypatch, sampling):
    engine = core.load("demo", device="cuda", dtype="float32")
    *_, recorded = engine.generate(QUESTION, sampling)
    assert engine.network.decoder.unrecorded is None
    monkeypatch.setattr(memory, "graph_of", lambda decoder, cache: None)
    *_, plain = engine.generate(QUESTION, sampling)
    assert recorded.token_ids == plain.token_ids


def test_a_conversation_records_once(monkeypatch):
    engine = core.load("demo", device="cuda", dtype="float32")
    session = engine.session()
    records = []
    monkeypatch.setattr(graph, "record_cuda", lambda run, device: records.append(run) or record_cuda(run, device))
    for question in ([core.Image("examples/shapes.png"), "What is this?"], "Where is the star?"):
        list(session.generate(question, core.Sampling(max_tokens=48)))
    assert 1 <= len(records) <= 2  # again only if the second turn had no room
    assert session._memory.cache.length == len(session._memory.held)
