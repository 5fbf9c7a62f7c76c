"""Products in 16 bits are those of float32, rounded, whether or not the processor computes in 16 bits."""

import pytest
import torch

from llavacli_core.nn import attention, product
from llavacli_core.nn.attention import attend


@pytest.fixture(params=[True, False], ids=["widened", "as they are"])
def widened(monkeypatch, request):
    for module in (product, attention):
        monkeypatch.setattr(module, "widens", lambda x, rows: request.param and x.dtype != torch.float32)


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))).bfloat16()


def close(ours: torch.Tensor, exact: torch.Tensor) -> None:
    assert ours.dtype == torch.bfloat16
    torch.testing.assert_close(ours.float(), exact, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("bias", [True, False])
def test_product(widened, bias):
    x, weight, added = drawn(2, 20, 24), drawn(10, 24) / 5, drawn(10) if bias else None
    exact = torch.nn.functional.linear(x.float(), weight.float(), None if added is None else added.float())
    close(product.product(x, weight, added), exact)


def test_convolution(widened):
    x, weight, bias = drawn(2, 3, 32, 32), drawn(6, 3, 4, 4) / 7, drawn(6)
    exact = torch.nn.functional.conv2d(x.float(), weight.float(), bias.float(), stride=(4, 4))
    close(product.convolution(x, weight, bias, (4, 4)), exact)


@pytest.mark.parametrize("mask", ["none", "true where one may look", "added"])
def test_attention(widened, mask):
    query, key, value = drawn(1, 4, 20, 8), drawn(1, 2, 20, 8), drawn(1, 2, 20, 8)
    lower = torch.ones(20, 20, dtype=torch.bool).tril()
    masks = {"none": None, "true where one may look": lower, "added": torch.zeros(20, 20).masked_fill(~lower, -1e4)}
    given = masks[mask] if mask != "added" else masks[mask].bfloat16()
    if given is not None:
        given = given[None, None]
    exact = torch.nn.functional.scaled_dot_product_attention(
        query.float(), key.float(), value.float(), is_causal=True, enable_gqa=True
    )
    close(attend(query, key, value, given, causal=True, kernel="sdpa"), exact)


def test_gradients_pass(widened):
    x, weight = drawn(20, 24).requires_grad_(), drawn(10, 24).requires_grad_()
    product.product(x, weight).float().sum().backward()
    assert weight.grad is not None
    assert x.grad is not None


def test_only_many_rows_in_16_bits_on_a_cpu_are_widened():
    assert not product.widens(torch.zeros(1, 4, dtype=torch.bfloat16), 1)
    assert not product.widens(torch.zeros(64, 4), 64)
    assert not product.widens(torch.zeros(64, 4, dtype=torch.bfloat16, device="meta"), 64)
