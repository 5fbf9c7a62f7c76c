"""Attention gives the same by every way through it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llavacli_core.nn.attention import SLICED, attend, visible
from tests import flash


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (4, 2), (3, 1)])
@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_one_query_as_the_textbook_has_it(dtype, close, heads, kv_heads, masked):
    random = torch.Generator().manual_seed(1)
    query, key, value = (
        torch.randn(3, number, length, 16, generator=random).to(dtype)
        for number, length in ((heads, 1), (kv_heads, 37), (kv_heads, 37))
    )
    mask = torch.rand(3, 1, 1, 37, generator=random) > 0.3 if masked else None
    ways = [attend(query, key, value, mask, causal=False, kernel=kernel) for kernel in ("sdpa", "eager")]
    assert ways[0].shape == query.shape
    torch.testing.assert_close(*ways, rtol=close, atol=close)


@pytest.mark.parametrize("window", [None, 1, 4, 50])
@pytest.mark.parametrize(("queries", "keys"), [(1, 9), (9, 9), (4, 13), (30, 31)])
@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (6, 2)])
def test_flash_looks_where_the_others_look(heads, kv_heads, queries, keys, window, monkeypatch):
    stand_in = flash.install(monkeypatch)
    random = torch.Generator().manual_seed(2)
    query = torch.randn(2, heads, queries, 8, generator=random)
    key, value = (torch.randn(2, kv_heads, keys, 8, generator=random) for _ in range(2))
    distance = torch.arange(keys - queries, keys)[:, None] - torch.arange(keys)
    looks = (distance >= 0) & (distance < (window or keys))
    expected = attend(query, key, value, looks, causal=False, kernel="eager")
    for kernel in ("sdpa", "eager", "flash"):
        seen = slice(None) if window is None or queries > 1 else slice(-window, None)  # a step is handed no more
        mask = visible(queries, keys, window, query.device, kernel)
        y = attend(query, key[:, :, seen], value[:, :, seen], mask, causal=True, kernel=kernel, window=window)
        torch.testing.assert_close(y, expected, rtol=1e-5, atol=1e-5)
    assert stand_in.calls == 1


def test_flash_all_around(monkeypatch):
    flash.install(monkeypatch)
    query, key, value = torch.randn(3, 2, 4, 11, 8).unbind(0)
    ways = [attend(query, key, value, None, causal=False, kernel=kernel) for kernel in ("sdpa", "flash")]
    torch.testing.assert_close(*ways, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("additive", [False, True])
def test_flash_leaves_masks_to_sdpa(additive, monkeypatch):
    stand_in = flash.install(monkeypatch)
    query, key, value = torch.randn(3, 2, 4, 11, 8).unbind(0)
    mask = torch.randn(2, 4, 11, 11) if additive else torch.rand(2, 1, 11, 11) > 0.2
    ways = [attend(query, key, value, mask, causal=False, kernel=kernel) for kernel in ("sdpa", "flash")]
    torch.testing.assert_close(*ways)
    kept: list[torch.Tensor] = []
    attend(query, key, value, None, causal=True, kernel="flash", weights=kept)
    assert kept[0].shape == (2, 4, 11, 11)
    assert stand_in.calls == 0


@settings(max_examples=40, deadline=None)
@given(
    length=st.one_of(
        st.sampled_from([SLICED.start - 1, SLICED.start, SLICED.stop - 1, SLICED.stop]), st.integers(1, 400)
    ),
    heads=st.sampled_from([(4, 4), (4, 2), (3, 1)]),
    batch=st.integers(1, 3),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
)
def test_prompts_of_any_length_look_back_alone(length, heads, batch, dtype):
    random = torch.Generator().manual_seed(3)
    query, key, value = (
        torch.randn(batch, number, length, 8, generator=random).to(dtype) for number in (heads[0], heads[1], heads[1])
    )
    ways = [attend(query, key, value, None, causal=True, kernel=kernel) for kernel in ("sdpa", "eager")]
    close = 1e-5 if dtype == torch.float32 else 3e-2
    torch.testing.assert_close(*ways, rtol=close, atol=close)


def test_what_is_looked_at_in_slices_learns_as_well():
    leaves = [torch.randn(2, heads, 200, 8, requires_grad=True) for heads in (4, 2, 2)]
    gradients = []
    for kernel in ("sdpa", "eager"):
        y = attend(*leaves, None, causal=True, kernel=kernel)
        gradients.append(torch.autograd.grad((y * torch.arange(8)).sum(), leaves))
    for ours, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-4)
