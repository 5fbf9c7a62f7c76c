"""Weights quantized while they are read: which, how near, from what forms on disk, and what is refused."""

from dataclasses import replace
from importlib import util

import pytest
import torch
from safetensors.torch import save_file

import llavacli_core as core
from llavacli_core.checkpoint import quantize, reader
from llavacli_core.checkpoint.arrange import _mapped
from llavacli_core.checkpoint.quantize import check_quantization, slices
from llavacli_core.checkpoint.reader import Reader
from llavacli_core.checkpoint.stored import stored_tensors
from llavacli_core.errors import BadOption
from llavacli_core.nn.linear import Linear
from llavacli_core.nn.packed import Packed

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def plain():
    return core.load("demo", device="cpu")


@pytest.mark.parametrize(
    ("asked", "held", "near"),
    [("8bit", "int8", 0.01), ("4bit", "int4", 0.12), ("bnb-8bit", "bnb-8bit", 0.02), ("bnb-4bit", "bnb-nf4", 0.15)],
)
def test_the_decoders_layers_are_quantized_and_come_near(asked, held, near, plain):
    engine = core.load("demo", device="cpu", quantize=asked)
    assert engine.info.quant == held
    assert engine.info.dtype == plain.info.dtype
    for path, module in plain.network.named_modules():
        if isinstance(module, Linear):
            ours = engine.network.get_submodule(path)
            if not path.startswith("decoder.blocks."):
                assert ours.weight.equal(module.weight), path
                continue
            assert ours.scheme == held, path
            x = torch.randn(70, module.weight.shape[1]).to(module.weight.dtype)
            off = (ours(x) - module(x)).norm() / module(x).norm()
            assert 0 < off < near, path
            assert (ours.row(x[0]) - module.row(x[0])).norm() / module.row(x[0]).norm() < 2 * near, path


def test_no_quantization_is_none(plain):
    assert plain.info.quant == "none"
    assert core.load("demo", device="cpu", quantize="none").info.quant == "none"


def test_a_shape_that_no_kernel_takes_stays_as_it_is(checkpoint):
    engine = core.load(str(checkpoint("llava-1.5")), device="cpu", quantize="4bit")  # 64 x 96: groups of 32
    assert isinstance(engine.network.decoder.blocks[0].mlp.down, Packed)
    scheme = replace(quantize.scheme_for("4bit", "cpu"))
    with torch.device("meta"):
        odd = Linear(48, 64, bias=False)
    assert quantize.scheme_of("decoder.blocks.0.mlp.down.weight", odd, (), scheme) is None


def test_stacks_are_read_in_slices_whatever_lies_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(quantize, "AT_ONCE", 64 * 32)
    monkeypatch.setattr(reader, "REMAP_BYTES", 1000)
    one, two = torch.randn(100, 32), torch.randn(32, 50)
    save_file({"one": one.bfloat16(), "two": two}, tmp_path / "model.safetensors")
    stored = {tensor.name: tensor for tensor in stored_tensors(tmp_path)}
    sources = [stored["one"], replace(stored["two"], shape=(50, 32), transposed=True)]
    pieces = list(slices(sources, Reader(), 32))
    assert [start for start, _ in pieces] == [0, 64, 128]
    assert torch.cat([piece for _, piece in pieces]).equal(torch.cat((one.bfloat16().float(), two.T)))


def test_what_is_missing_is_said_before_anything_is_read(monkeypatch):
    monkeypatch.setattr(quantize, "kernels_work", lambda scheme: False)
    with pytest.raises(BadOption, match="int8") as error:
        core.load("demo", device="cpu", quantize="8bit")
    assert "bnb-8bit" in error.value.hint
    there = util.find_spec
    monkeypatch.setattr(quantize, "find_spec", lambda name: None if name == "bitsandbytes" else there(name))
    with pytest.raises(BadOption, match="bitsandbytes") as error:
        core.load("demo", device="cpu", quantize="bnb-4bit")
    assert "pip install" in error.value.hint
    with pytest.raises(BadOption, match="4-bit weights on cuda"):
        check_quantization("4bit", torch.device("cuda"), [])


def test_nonsense_is_refused():
    with pytest.raises(BadOption, match="3bit"):
        core.load("demo", quantize="3bit")
    with pytest.raises(BadOption, match="MPS"):
        check_quantization("8bit", torch.device("mps"), [])


def test_a_copy_of_a_layer_in_bitsandbytes_form_leaves_nothing_behind():
    """What lies beside the codes goes along: a guest's scales would fill the card that it visits."""
    block = core.load("demo", device="cpu", quantize="bnb-4bit").network.decoder.blocks[0]
    layer = block.mlp.down
    copies = _mapped(block, lambda tensor: tensor.clone()).mlp.down
    away = _mapped(block, lambda tensor: tensor.to("meta")).mlp.down.state
    beside = (away.absmax, away.code, *((away.offset, away.state2.absmax, away.state2.code) if away.nested else ()))
    assert {tensor.device.type for tensor in beside} == {"meta"}
    assert copies.state.absmax is copies.scales
    assert copies.state.absmax.data_ptr() != layer.state.absmax.data_ptr()
    x = torch.randn(3, 384).to(torch.bfloat16)
    assert copies(x).equal(layer(x))
