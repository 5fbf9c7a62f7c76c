"""Answers by oneDNN's products, from weights as they are stored, in its own order or settled, are the reference's."""

import pytest
import torch

import llavacli_core as core
from llavacli_core.checkpoint import load, reader
from llavacli_core.nn import product, settling
from llavacli_core.nn.linear import Apart, Linear
from llavacli_core.options import Sampling
from tests.parity.asking import assert_same, finish
from tests.reference import ANSWER_LENGTH
from tests.reference.cases import BY_NAME
from tests.reference.models import BASES

pytestmark = [
    pytest.mark.parity,
    pytest.mark.skipif(not product.prefers_onednn(torch.float32), reason="oneDNN does not compute on this processor"),
]


@pytest.fixture
def blocking(monkeypatch):
    """Small matrices, too, and those in float32."""
    monkeypatch.setattr(settling, "LARGE", 0)
    monkeypatch.setattr(settling, "TOKENS", 1)
    monkeypatch.setattr(product, "LARGE", 0)
    monkeypatch.setattr(product, "long", int)
    monkeypatch.setattr(settling, "reorders", product.prefers_onednn)
    monkeypatch.setattr(load, "reorders", product.prefers_onednn)


def in_blocks(decoder):
    """Whether all its matrices are."""
    head = () if decoder.head is None else decoder.head.parameters()
    return all(weight.is_mkldnn for weight in (*decoder.blocks.parameters(), *head) if weight.dim() == 2)


@pytest.mark.parametrize("mapped", [False, True], ids=["copied", "mapped"])
@pytest.mark.parametrize("base", [base.name for base in BASES])
def test_answers_are_the_references(base, mapped, blocking, checkpoint, answer, monkeypatch):
    if mapped:
        monkeypatch.setattr(reader, "MAP_BYTES", 0)
    engine = core.load(checkpoint(base), device="cpu", dtype="float32")
    for name in ("photo", "text only"):
        for _ in range(2):  # the second prompt is read with what the first answer rearranged
            assert_same(engine, BY_NAME[name], answer(base, name), ANSWER_LENGTH)
    assert in_blocks(engine.network.decoder)


@pytest.mark.parametrize("base", [base.name for base in BASES])
def test_answers_from_weights_in_memory_of_their_own(base, checkpoint, answer, monkeypatch):
    monkeypatch.setattr(reader, "MAP_BYTES", 0)
    monkeypatch.setattr(settling, "LARGE", 0)
    monkeypatch.setattr(settling, "TOKENS", 3)
    engine = core.load(checkpoint(base), device="cpu", dtype="float32")
    decoder = engine.network.decoder
    layers = [layer for layer in decoder.modules() if isinstance(layer, Apart)]
    assert layers
    assert all(layer.mapped and len(layer.weights) > 1 for layer in layers)
    for name in ("photo", "text only"):
        for _ in range(2):
            assert_same(engine, BY_NAME[name], answer(base, name), ANSWER_LENGTH)
    assert all(len(layer.weights) == 1 for layer in layers)
    left = [layer for layer in decoder.modules() if isinstance(layer, Linear | Apart) and layer.mapped]
    assert left == ([] if decoder.head is None else [decoder.embedding])  # of which rows alone are read


def test_batches_and_beams_are_those_of_weights_as_they_are_stored(blocking, checkpoint, engine):
    asked = [(BY_NAME[name].messages, Sampling(max_tokens=12)) for name in ("photo", "text only", "two pictures")]
    ours = core.load(checkpoint("llava-1.5"), device="cpu", dtype="float32")
    expected = [finish(engine("llava-1.5").generate(*request)).token_ids for request in asked]
    last = dict(ours.batch(asked, rows=3))  # the last event of each
    assert [last[index].token_ids for index in range(3)] == expected
    assert in_blocks(ours.network.decoder)
    beams = Sampling(max_tokens=12, beams=3)
    assert (
        finish(ours.generate(asked[0][0], beams)).token_ids
        == finish(engine("llava-1.5").generate(asked[0][0], beams)).token_ids
    )


def test_where_memory_is_short_what_is_mapped_stays_so(blocking, checkpoint, monkeypatch, answer):
    monkeypatch.setattr(reader, "MAP_BYTES", 0)
    monkeypatch.setattr(load, "free_memory", lambda device: 0)
    engine = core.load(checkpoint("llava-1.5"), device="cpu", dtype="float32")
    assert_same(engine, BY_NAME["photo"], answer("llava-1.5", "photo"), ANSWER_LENGTH)
    assert not in_blocks(engine.network.decoder)


@pytest.mark.parametrize("base", ["llava-1.5", "llava-interleave"])
def test_answers_from_weights_as_they_are_stored_too(base, checkpoint, answer, monkeypatch):
    monkeypatch.setattr(product, "LARGE", 0)
    monkeypatch.setattr(product, "long", int)
    engine = core.load(checkpoint(base), device="cpu", dtype="float32")
    for name in ("photo", "text only"):
        assert_same(engine, BY_NAME[name], answer(base, name), ANSWER_LENGTH)
    assert not in_blocks(engine.network.decoder)
