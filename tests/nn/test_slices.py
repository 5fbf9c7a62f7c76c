"""A feed-forward part in slices is the part as a whole, and no slice of it is large."""

from functools import partial

import pytest
import torch

from llavacli_core.nn import product, slices
from llavacli_core.nn.linear import Apart, Linear
from llavacli_core.nn.settling import settle
from llavacli_core.nn.slices import by_slices
from llavacli_core.portions import SLICE


def linear(out, inputs):
    made = Linear(inputs, out, bias=False)
    torch.nn.init.normal_(made.weight)
    return made


@pytest.mark.parametrize("shape", [(1, 1, 8), (3, 200, 8), (1, 3 * SLICE, 8), (2, SLICE + 1, 8)])
@torch.inference_mode()
def test_slices_make_the_whole(shape):
    layer, seen = linear(8, 8), []

    def part(x):
        seen.append(x.numel() // 8)
        return layer(x).relu()

    x = torch.randn(shape)
    y = by_slices(part, x, layer)
    torch.testing.assert_close(y, layer(x).relu())
    assert y.shape == x.shape
    assert max(seen) <= SLICE
    assert max(seen) - min(seen) < len(seen)
    assert sum(seen) == x.numel() // 8


def test_large_matrices_and_gradients_are_left_whole():
    x, calls = torch.randn(1, 2 * SLICE, 8), []
    with torch.inference_mode():
        by_slices(lambda part: calls.append(part) or part, x, linear(2**16, 8))
    by_slices(lambda part: calls.append(part) or part, x, linear(8, 8))
    assert [len(call[0]) for call in calls] == [2 * SLICE] * 2


@torch.inference_mode()
def test_by_tiles_large_matrices_are_sliced_as_whoever_calls_wants(monkeypatch):
    monkeypatch.setattr(slices, "has_amx", lambda dtype: dtype == torch.bfloat16)
    layer, seen = linear(2**16, 16).to(torch.bfloat16), []
    x = torch.randn(1, 4 * SLICE, 16).to(torch.bfloat16)
    for large in (SLICE, 2 * SLICE, 5 * SLICE):
        by_slices(lambda part: seen.append(len(part.flatten(0, -2))) or part, x, layer, large=large)
    assert seen == [SLICE] * 4 + [2 * SLICE] * 2 + [4 * SLICE]


@pytest.mark.skipif(not product.reorders(torch.bfloat16), reason="no order of oneDNN's own on this processor")
@torch.inference_mode()
def test_large_matrices_in_onednns_order_are_sliced():
    layer, seen = linear(1024, 1024).to(torch.bfloat16).requires_grad_(requires_grad=False), []
    x = torch.randn(2 * SLICE, 1024).to(torch.bfloat16)
    expected = layer(x)
    settle(layer)

    def part(piece, reordered):
        seen.append(len(piece))
        return reordered(piece)

    for reordered in (layer, Apart(layer, [layer.weight])):
        y = by_slices(partial(part, reordered=reordered), x, reordered)
        torch.testing.assert_close(y, expected, rtol=2e-2, atol=0.5)
    assert seen == [SLICE] * 4
