"""Codes and scales that come near to a matrix: no farther off than plain rounding may be, exact where they can be."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from llavacli_core.checkpoint.rounding import to_int4, to_int8


def widened(codes, scales, group):
    scale, zero = scales.float().repeat_interleave(group, 1).unbind(-1)
    return (codes - 8) * scale + zero


@given(seed=st.integers(0, 10**6), size=st.floats(1e-6, 1e4), shift=st.floats(-3, 3))
def test_eight_bits_are_off_by_half_a_step(seed, size, shift):
    weight = (torch.randn(6, 64, generator=torch.Generator().manual_seed(seed)) + shift) * size
    codes, scale = to_int8(weight)
    # A scale is rounded to bfloat16, so that the largest weight may lie half a per cent beyond the last code.
    off = (codes * scale.float()[:, None] - weight).abs()
    assert bool((off <= 0.5 * scale.float()[:, None] + 0.005 * weight.abs()).all())


@given(seed=st.integers(0, 10**6), size=st.floats(1e-6, 1e4), shift=st.floats(-3, 3), group=st.sampled_from([32, 64]))
def test_fitting_four_bits_beats_the_span(seed, size, shift, group):
    weight = (torch.randn(6, 128, generator=torch.Generator().manual_seed(seed)) + shift) * size
    codes, scales = to_int4(weight, group)
    assert 0 <= int(codes.min()) <= int(codes.max()) <= 15
    grouped = weight.view(6, -1, group)
    low, high = grouped.amin(-1, keepdim=True), grouped.amax(-1, keepdim=True)
    step = (high - low) / 15
    plain = (((grouped - low) / step).round() * step + low).view_as(weight)
    assert (widened(codes, scales, group) - weight).square().sum() <= 1.05 * (plain - weight).square().sum()


def test_what_fits_is_kept():
    constant = torch.tensor([0.0, 1.5, -2.0, 1e-20]).repeat_interleave(64).view(4, 64)
    codes, scales = to_int4(constant, 32)
    torch.testing.assert_close(widened(codes, scales, 32), constant, rtol=2**-8, atol=0)
    steps = torch.arange(16.0).repeat(2, 4) * 0.25 - 1.75
    codes, scales = to_int4(steps, 32)
    assert widened(codes, scales, 32).equal(steps)
    codes, scale = to_int8(torch.zeros(2, 32))
    assert (codes * scale[:, None]).equal(torch.zeros(2, 32))
