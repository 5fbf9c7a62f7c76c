"""Layers of whole numbers: by torch's kernels and widened, they are the product that their codes and scales spell."""

import pytest
import torch

from llavacli_core.checkpoint.rounding import to_int4, to_int8
from llavacli_core.nn import packed
from llavacli_core.nn.packed import Int4, Int8, kernels_work
from llavacli_core.schemes import group_size

SHAPES = [(16, 32), (48, 64), (80, 96), (144, 128), (64, 320), (384, 128)]


def layer(scheme, out, inputs, seed=0):
    """A layer of random weights with a bias, and the matrix that its codes mean."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(out, inputs, generator=generator)
    if scheme == "int8":
        codes, scale = to_int8(weight)
        made, meant = Int8(codes, scale, (out,), torch.float32), codes * scale.float()[:, None]
    else:
        group = group_size(inputs)
        codes, scales = to_int4(weight, group)
        packed_codes = torch._convert_weight_to_int4pack_for_cpu(codes, 1)
        made = Int4(packed_codes, scales.transpose(0, 1).contiguous(), (out,), torch.float32)
        scale, zero = scales.float().repeat_interleave(group, 1).unbind(-1)
        meant = (codes - 8) * scale + zero
    made.bias = torch.nn.Parameter(torch.randn(out, generator=generator), requires_grad=False)
    return made, meant


@pytest.mark.parametrize("scheme", ["int8", "int4"])
@pytest.mark.parametrize(("out", "inputs"), SHAPES)
def test_they_compute_what_their_codes_mean(scheme, out, inputs):
    made, meant = layer(scheme, out, inputs)
    for rows in (1, 3, 16, 33):
        x = torch.randn(2, rows, inputs)
        y, expected = made(x), x @ meant.T + made.bias
        assert y.shape == expected.shape
        assert y.dtype == torch.float32
        near = 1e-4 if 2 * rows > made.few else 0.02 * float(expected.abs().max())  # the kernels compute in bfloat16
        torch.testing.assert_close(y, expected, rtol=0, atol=near)


@pytest.mark.parametrize("scheme", ["int8", "int4"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_row_is_a_batch_of_one(scheme, dtype):
    made, _ = layer(scheme, 48, 64)
    made.bias.data = made.bias.to(dtype)
    x = torch.randn(64).to(dtype)
    assert made.row(x).equal(made(x[None])[0])
    assert made.row(x).dtype == made(x.expand(70, -1)).dtype == dtype


def test_the_layout_is_learned_of_every_block():
    for block in {16, packed.block_size()}:
        assert sorted(torch.cat(packed.order_in(block)).tolist()) == list(range(block))


def test_kernels_that_are_not_there_are_told_of(monkeypatch):
    assert kernels_work("int8")
    assert kernels_work("int4")
    kernels_work.cache_clear()
    monkeypatch.delattr(torch, "_weight_int8pack_mm")
    monkeypatch.setattr(torch, "_weight_int4pack_mm_for_cpu", lambda x, packed, group, scales: x @ x.new_zeros(64, 144))
    assert not kernels_work("int8")
    assert not kernels_work("int4")
    kernels_work.cache_clear()
