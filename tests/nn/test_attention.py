"""Attention gives the same by every way through it."""

import pytest
import torch

from llavacli_core.nn.attention import attend


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
