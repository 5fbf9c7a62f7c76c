"""The root-mean-square norm is torch's own, however many positions there are."""

import pytest
import torch
from torch import nn

from llavacli_core.nn import norms
from llavacli_core.nn.norms import RMSNorm


def norm(size: int, dtype: torch.dtype) -> RMSNorm:
    made = RMSNorm(size, 1e-5)
    made.weight = nn.Parameter(torch.rand(size, generator=torch.Generator().manual_seed(0)).to(dtype) + 0.5)
    return made


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("shape", [(1, 7, 24), (2, 33, 24), (1, 1, 24), (50, 24)])
@torch.inference_mode()
def test_some_positions_at_a_time_are_normalised_as_all_at_once(shape, dtype, monkeypatch):
    layer = norm(24, dtype)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    x[..., 0, :] = 0  # nothing but the floor to divide by
    whole = layer(x)
    monkeypatch.setattr(norms, "AT_ONCE", 5 * 24 + 3)
    near = {8: 1e-7, 4: 2e-6, 2: 1e-2}[dtype.itemsize]
    for given in (x, x.transpose(0, -2).contiguous().transpose(0, -2)):
        before = given.clone()
        torch.testing.assert_close(layer(given), whole, rtol=near, atol=near)
        assert torch.equal(given, before)


def test_gradients_come_through(monkeypatch):
    monkeypatch.setattr(norms, "AT_ONCE", 24)
    layer = norm(24, torch.float32)
    layer(torch.randn(9, 24)).sum().backward()
    assert layer.weight.grad is not None
