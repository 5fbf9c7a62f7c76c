"""Wherever layers lie or are kept, the same tokens come: alone, in batches, by beams, in conversations."""

import pytest
import torch

import llavacli_core as core
from llavacli_core.checkpoint import load
from llavacli_core.checkpoint.files import describe
from llavacli_core.checkpoint.footprint import form_of
from llavacli_core.checkpoint.layout import Layout
from llavacli_core.checkpoint.sizes import sizes_of
from llavacli_core.checkpoint.spread import needs_of
from llavacli_core.checkpoint.stored import stored_tensors
from llavacli_core.checkpoint.weights import make_plan
from llavacli_core.errors import BadOption, OutOfMemory
from llavacli_core.nn.guests import Guest
from llavacli_core.options import Sampling
from llavacli_core.schemes import scheme_for
from tests.nn.apart import Apart
from tests.parity.asking import finish
from tests.reference.cases import BY_NAME

pytestmark = pytest.mark.parity

ASKED = [
    (BY_NAME["photo"].messages, Sampling(max_tokens=6)),
    (BY_NAME["text only"].messages, Sampling(max_tokens=9)),
    (BY_NAME["two pictures"].messages, Sampling(max_tokens=4)),
]
SEARCHED = BY_NAME["text only"].messages, Sampling(max_tokens=5, beams=3)


def ids(engine):
    """What an engine answers in every way there is."""
    alone = [finish(engine.generate(*asked)).token_ids for asked in (*ASKED, SEARCHED)]
    last = {index: event for index, event in engine.batch(ASKED) if isinstance(event, core.Done)}
    session = engine.session()
    turns = [finish(session.generate(words, Sampling(max_tokens=5))).token_ids for words in ("Hello.", "And then?")]
    return alone, [last[index].token_ids for index in range(len(ASKED))], turns


def least(folder, quantize=None):
    """The smallest budget that the checkpoint runs in, and the smallest in which no layer must come and go."""
    description = describe(folder)
    with torch.device("meta"):
        network = load.make_network(description.model, "sdpa")
    plan = make_plan(network, stored_tensors(folder), description.names)
    scheme = scheme_for(quantize, "cpu")
    form = form_of("cpu", "float32", scheme, "sdpa")
    needs = needs_of(description.model, form, sizes_of(network, plan, 4, scheme))
    beside = needs.first + needs.last + needs.working + len(needs.blocks) * needs.cache
    return beside + 2 * max(needs.blocks), beside + sum(needs.blocks)


@pytest.mark.parametrize("base", ["llava-interleave", "next-mistral-window"])
def test_a_budget_on_the_cpu(base, checkpoint, engine):
    smallest, everything = least(checkpoint(base))
    tight = core.load(checkpoint(base), device="cpu", dtype="float32", max_memory=smallest)
    assert tight.info.device == "cpu+disk"
    assert ids(tight) == ids(engine(base))
    assert core.load(checkpoint(base), device="cpu", dtype="float32", max_memory=everything).info.device == "cpu"
    with pytest.raises(OutOfMemory, match="at least"):
        core.load(checkpoint(base), device="cpu", dtype="float32", max_memory={"cpu": smallest - 1})


def test_layers_that_all_come_and_go_are_quantized_each_time(checkpoint):
    folder = checkpoint("llava-1.5")
    loaded = {"device": "cpu", "dtype": "float32", "quantize": "8bit"}
    tight = core.load(folder, **loaded, max_memory=least(folder, "8bit")[0])
    assert (tight.info.device, tight.info.quant) == ("cpu+disk", "int8")
    assert all(isinstance(block, Guest) for block in tight.network.decoder.blocks)
    assert ids(tight) == ids(core.load(folder, **loaded))


LAYOUTS = {
    "two": Layout(first="cpu:0", blocks=("cpu:0", "cpu:1", "cpu:1"), last="cpu:1"),
    "three": Layout(first="cpu:0", blocks=("cpu:1", "cpu:1", "cpu:1"), last="cpu:2"),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("base", ["next-mistral-window"])
def test_several_devices(base, layout, checkpoint, engine, monkeypatch):
    """The devices are in one memory, but no operation may take tensors of two."""
    monkeypatch.setattr(load, "spread", lambda *_: layout)
    with Apart():
        apart = core.load(checkpoint(base), device="cpu", dtype="float32")
        assert apart.info.device == "+".join(dict.fromkeys((layout.first, *layout.blocks, layout.last)))
        answers = ids(apart)
    assert answers == ids(engine(base))


def test_guests_kept_in_memory(checkpoint, engine, monkeypatch):
    layout = Layout(first="cpu", blocks=("cpu",) * 3, last="cpu", guests=("cpu", "disk", "cpu"))
    monkeypatch.setattr(load, "spread", lambda *_: layout)
    hosting = core.load(checkpoint("next-mistral"), device="cpu", dtype="float32")
    assert ids(hosting) == ids(engine("next-mistral"))


@pytest.mark.parametrize(
    "max_memory", ["cuda:7=8GiB", ["8GiB", "cpu=9GiB"], "mps=1GiB"], ids=["a GPU", "twice", "another device"]
)
def test_budgets_that_are_of_no_use(max_memory, checkpoint):
    with pytest.raises(BadOption, match="max_memory"):
        core.load(checkpoint("llava-1.5"), device="cpu", max_memory=max_memory)
