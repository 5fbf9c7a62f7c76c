"""Weights settle in memory once there are some words: nothing but speed tells, and what is changed meanwhile stays."""

import copy
import os
import pickle
from functools import partial
from itertools import pairwise

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import prune

import llavacli_core as core
from llavacli_core.checkpoint import load, reader
from llavacli_core.checkpoint.stored import open_weights
from llavacli_core.nn import memory, settling
from llavacli_core.nn.linear import Apart, Linear
from llavacli_core.nn.settling import Settling, settle
from llavacli_core.portions import FIRST_WORDS
from tests.nn.test_product import drawn, filled, same
from tests.reference.checkpoints import write
from tests.reference.models import BASES

QUESTION = [core.Message("user", "What is this?")]


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    """Matrices of any size settle, in their plain order."""
    monkeypatch.setattr(settling, "LARGE", 0)
    for module in (settling, load):
        monkeypatch.setattr(module, "reorders", lambda _: False)


@pytest.fixture
def mapped(tmp_path):
    """Layers of so many parts each, in a file."""

    def make(*parts, rows=64, inputs=96):
        names = [[f"{layer}.{part}" for part in range(count)] for layer, count in enumerate(parts)]
        save_file({name: drawn(rows, inputs) for each in names for name in each}, tmp_path / "model.safetensors")
        views = open_weights(tmp_path / "model.safetensors")
        stacks = [(Linear(inputs, *[rows] * len(each), bias=False), [*map(views.tensor, each)]) for each in names]
        return [Apart(*stack) for stack in stacks]

    return make


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A checkpoint with a tied head whose weights all stay mapped."""
    monkeypatch.setattr(reader, "MAP_BYTES", 0)
    write(next(base for base in BASES if base.name == "llava-interleave"), tmp_path)
    return tmp_path


def ticks(settling_, count):
    for _ in range(count):
        settling_.tick()
        yield settling_.pending


@pytest.mark.parametrize("format", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_what_is_mapped_settles_in_memory_and_what_is_not_stays(format, tmp_path):
    save_file({"gate": drawn(64, 96).to(format), "up": drawn(64, 96).to(format)}, tmp_path / "model.safetensors")
    views = open_weights(tmp_path / "model.safetensors")
    copied = filled(96, 64, 64, bias=False, format=format)
    mapped = Apart(copied, [views.tensor(name) for name in ("gate", "up")])
    one = filled(96, 64, bias=False, format=format)
    one.weight, one.mapped = nn.Parameter(views.tensor("up"), requires_grad=False), True
    x = drawn(96).to(format)
    before = [layer.row(x) for layer in (copied, mapped, one)]
    own, in_file = copied.weight.data_ptr(), one.weight.data_ptr()
    for _ in range(2):
        for layer in (copied, mapped, one):
            settle(layer)
    assert copied.weight.data_ptr() == own
    assert one.weight.data_ptr() != in_file
    assert [weight.shape for weight in mapped.weights] == [(128, 96)]
    for layer, expected in zip((copied, mapped, one), before, strict=True):
        same(layer.row(x), expected)


def test_layers_settle_after_the_first_words_as_many_bytes_with_each_token(mapped, monkeypatch):
    monkeypatch.setattr(settling, "PIECE", 2 * 96 * 2)
    layers = mapped(1, 3, 40, 1)  # one of them far larger than the others
    waiting = Settling(layers)
    size = sum(weight.nbytes for layer in layers for weight in layer.weights)
    pending = [size, *ticks(waiting, FIRST_WORDS + settling.TOKENS + 1)]
    assert pending[:FIRST_WORDS] == [size] * FIRST_WORDS
    taken = [before - after for before, after in pairwise(pending)]
    assert size / settling.TOKENS <= max(taken) <= size / settling.TOKENS + 2 * settling.PIECE
    assert pending[-1] == 0
    assert not any(layer.mapped for layer in layers)
    Settling().tick()


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 1 bytes")])
def test_where_memory_fails_the_rest_stays(mapped, monkeypatch, error):
    layers, made = mapped(2, 2, 2), []
    x = drawn(96)
    expected = [layer.row(x) for layer in layers]

    def fails(layer):
        made.append(layer)
        if len(made) > 1:
            raise error
        return settled(layer)

    settled = settling._settled
    monkeypatch.setattr(settling, "_settled", fails)
    waiting = Settling(layers)
    assert [*ticks(waiting, FIRST_WORDS + settling.TOKENS)][-1] == 0
    assert made == layers[:2]
    assert [layer.mapped for layer in layers] == [False, True, True]
    for layer, row in zip(layers, expected, strict=True):
        same(layer.row(x), row)


def test_another_error_is_no_matter_of_memory(mapped, monkeypatch):
    def fails(layer):
        raise RuntimeError("something else")

    monkeypatch.setattr(settling, "_settled", fails)
    with pytest.raises(RuntimeError, match="something else"):
        settle(*mapped(2))


def test_layers_stay_where_there_is_less_room_by_then(mapped):
    layers, free = mapped(2, 2, 2), [10**9, 0]
    waiting = Settling(layers, lambda: free.pop(0))
    assert [*ticks(waiting, FIRST_WORDS + settling.TOKENS)][-1] == 0
    assert [layer.mapped for layer in layers] == [False, True, True]


def test_what_is_changed_meanwhile_stays_as_it_was_changed(mapped, monkeypatch):
    monkeypatch.setattr(settling, "PIECE", 96 * 2)
    replaced, edited = layers = mapped(2, 2)
    steps = [settling._steps([layer], lambda: 10**9) for layer in layers]
    for step in steps:
        next(step)
    with torch.no_grad():
        edited.weights[0].zero_()
    other = nn.Parameter(drawn(64, 96), requires_grad=False)
    replaced.weights[1] = other
    for step in steps:
        assert [*step]
    assert replaced.weights[1] is other
    assert not edited.weights[0].any()


def test_what_is_computed_from_others_stays(mapped):
    pruned = partial(prune.l1_unstructured, name="weight", amount=3)
    for change in (nn.utils.parametrizations.weight_norm, pruned):
        (layer,) = mapped(1)
        linear = Linear(96, 64, bias=False)
        linear.weight, linear.mapped = layer.weights[0], True
        change(linear)
        settle(linear)
        assert linear.mapped
        assert linear(drawn(96)).shape == (64,)


def test_what_learns_stays(mapped, monkeypatch):
    monkeypatch.setattr(settling, "PIECE", 96 * 2)
    before, meanwhile = mapped(2, 2)
    before.weights[1].requires_grad_()
    settle(before)
    step = settling._steps([meanwhile], lambda: 10**9)
    with torch.no_grad():
        next(step)
        meanwhile.weights[0].requires_grad_()
        assert [*step]
    assert before.mapped
    assert meanwhile.mapped


def test_a_copy_has_nothing_to_settle(mapped):
    waiting = Settling(mapped(2))
    for each in (copy.deepcopy(waiting), pickle.loads(pickle.dumps(waiting))):
        each.tick()
        assert each.pending == 0


def test_after_an_answer_a_network_learns_and_is_changed_as_before(folder):
    network = (engine := core.load(folder, device="cpu")).network
    *_, done = engine.generate(QUESTION, core.Sampling(max_tokens=FIRST_WORDS + settling.TOKENS + 2))
    assert len(done.token_ids) > FIRST_WORDS + settling.TOKENS
    decoder = network.decoder
    assert not any(getattr(module, "mapped", False) for module in decoder.modules())
    network.load_state_dict({name: weight.clone() for name, weight in network.state_dict().items()})
    network.requires_grad_()
    decoder.logits(decoder(decoder.embed(torch.tensor([[1, 2, 3]])))).float().sum().backward()
    assert decoder.blocks[0].mlp.gate_up.weights[0].grad is not None


def test_a_tied_embedding_that_was_edited_stays_so(folder):
    answers = []
    for settles in (False, True):
        engine = core.load(folder, device="cpu")
        if not settles:
            engine.network.decoder.settling = Settling()
        words = engine.network.decoder.embedding
        with torch.no_grad():
            words.weight.copy_(torch.randn(words.weight.shape, generator=torch.Generator().manual_seed(0)))
        *_, done = engine.generate(QUESTION, core.Sampling(max_tokens=40))
        assert words.mapped is not settles
        answers.append(done.token_ids)
    assert answers[0] == answers[1]
    assert len(answers[0]) > FIRST_WORDS + settling.TOKENS


@pytest.mark.skipif(not os.access("/proc/self/pagemap", os.R_OK), reason="a system that does not tell of pages")
def test_pages_that_hold_what_the_file_holds_are_let_go_of(tmp_path):
    values = drawn(3000, 64)
    save_file({"before": drawn(3, 5), "values": values}, tmp_path / "model.safetensors")
    view = open_weights(tmp_path / "model.safetensors").tensor("values")
    assert torch.equal(view, values)
    before = resident(view)
    memory.release(view)
    assert resident(view) <= 2 < before  # those that it shares with its neighbours
    assert torch.equal(view, values)
    memory.release(view[:1])  # not one whole page
    view[1500] = 0  # this process's own from now on
    for written in (view, view.clone()):
        held = resident(written)
        memory.release(written)
        assert resident(written) == held > 0
        assert not written[1500].any()


def resident(tensor):
    """The 4 KB pages of a tensor that are in this process's memory."""
    with open("/proc/self/pagemap", "rb") as entries:
        first, last = tensor.data_ptr() // 4096, (tensor.data_ptr() + tensor.nbytes - 1) // 4096
        entries.seek(8 * first)
        told = entries.read(8 * (last + 1 - first))
    return sum(told[place] >> 7 for place in range(7, len(told), 8))
