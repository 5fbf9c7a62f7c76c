"""The part of an enlarged picture equals what Pillow makes of the whole."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from llavacli_core.media.resample import KERNELS, enlarged
from tests.media.files import noise


@st.composite
def windows(draw: st.DrawFn) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int, int, int]]:
    """A picture's size, a size no smaller, and a box inside the latter."""
    width, height = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    wide, high = width + draw(st.integers(0, 400)), height + draw(st.integers(0, 400))
    left, top = draw(st.integers(0, wide - 1)), draw(st.integers(0, high - 1))
    right, bottom = draw(st.integers(left + 1, wide)), draw(st.integers(top + 1, high))
    return (width, height), (wide, high), (left, top, right, bottom)


@given(case=windows(), resample=st.sampled_from(sorted(KERNELS)))
@settings(max_examples=300, deadline=None)
def test_a_window_equals_pillows_crop_of_the_whole(case, resample):
    size, target, box = case
    picture = noise(*size)
    ours, pillows = enlarged(picture, target, box, resample), picture.resize(target, resample).crop(box)
    assert np.array_equal(np.asarray(ours), np.asarray(pillows))


@given(size=st.tuples(st.integers(1, 4), st.integers(400, 900)), lying=st.booleans())
@settings(max_examples=20, deadline=None)
def test_strips_whose_crop_is_far_from_their_ends(size, lying):
    short, long = size
    picture = noise(long, short) if lying else noise(short, long)
    ratio = 48 / short
    width, height = int(picture.width * ratio), int(picture.height * ratio)
    box = ((width - 48) // 2, (height - 48) // 2, (width + 48) // 2, (height + 48) // 2)
    pillows = picture.resize((width, height), Image.Resampling.BICUBIC).crop(box)
    assert np.array_equal(np.asarray(enlarged(picture, (width, height), box, 3)), np.asarray(pillows))
