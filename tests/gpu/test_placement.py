"""On a CUDA device: kernels agree, and layers that come from elsewhere give the same tokens."""

import importlib.util

import pytest
import torch

import llavacli_core as core
from llavacli_core.checkpoint import load
from llavacli_core.checkpoint.layout import Layout

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

QUESTION = [core.Message("user", [core.Image("examples/shapes.png"), "Describe this image in detail."])]
GREEDY = core.Sampling(max_tokens=48)


def ids(engine):
    *_, alone = engine.generate(QUESTION, GREEDY)
    together = [event for _, event in engine.batch([(QUESTION, GREEDY)] * 3) if isinstance(event, core.Done)]
    return [done.token_ids for done in (alone, *together)]


def layers(engine):
    return engine.network.config.decoder.num_hidden_layers


@pytest.fixture(scope="module")
def plain():
    return core.load("demo", device="cuda", dtype="float32")


@pytest.mark.parametrize("home", ["cpu", "disk"])
def test_guests(home, plain, monkeypatch):
    count, first = layers(plain), str(plain.device)
    layout = Layout(first=first, blocks=(first,) * count, last=first, guests=(home,) * (count - 1))
    monkeypatch.setattr(load, "spread", lambda *_: layout)
    hosting = core.load("demo", device="cuda", dtype="float32")
    assert hosting.info.device == f"{first}+{home}"
    assert ids(hosting) == ids(plain)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_two_devices(plain, monkeypatch):
    count = layers(plain)
    blocks = ("cuda:0",) * (count // 2) + ("cuda:1",) * (count - count // 2)
    monkeypatch.setattr(load, "spread", lambda *_: Layout(first="cuda:0", blocks=blocks, last="cuda:1"))
    apart = core.load("demo", dtype="float32")
    assert apart.info.device == "cuda:0-1"
    assert ids(apart) == ids(plain)


def test_a_budget_is_kept():
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    with pytest.raises(core.errors.OutOfMemory, match="at least"):
        core.load("demo", device="cuda", dtype="float32", max_memory="1MiB")
    engine = core.load("demo", device="cuda", dtype="float32", max_memory="64MiB")
    ids(engine)
    assert torch.cuda.max_memory_allocated() - before < 64 * 2**20


@pytest.mark.skipif(importlib.util.find_spec("flash_attn") is None, reason="needs flash-attn")
def test_flash_says_what_sdpa_says():
    """In half precision scores differ in their last bits; the scores of the whole prompt are close."""
    sdpa, flash = (core.load("demo", device="cuda", dtype="bfloat16", attention=name) for name in ("sdpa", "flash"))
    expected, scores = (engine.forward(QUESTION).logits.float() for engine in (sdpa, flash))
    torch.testing.assert_close(scores, expected, rtol=0.1, atol=0.5)
    ids(flash)
