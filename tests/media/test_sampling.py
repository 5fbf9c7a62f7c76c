"""Frames are spread as in the documents, a rate is kept as transformers keeps it, uneven clips go by the clock."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers.video_utils import VideoMetadata, default_sample_indices_fn

from llavacli_core.errors import InputTooLarge, UnsuitableOption
from llavacli_core.media.sampling import Timeline, at_rate, refuse_beyond_memory, uniform


def even(total: int, rate: Fraction, tick: Fraction | None = None) -> Timeline:
    """A clip of constant rate, its times rounded to a container's ticks."""
    times = [number / rate for number in range(total)]
    if tick is not None:
        times = [round(time / tick) * tick for time in times]
    return Timeline(total, rate, tuple(times), total / rate)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 16, 32, 64])
def test_the_documents_sampling(count):
    for total in [*range(count, 400), 1800, 5400, 107892]:
        assert uniform(total, count) == tuple(np.arange(0, total, total / count).astype(int))


def test_where_rounding_gives_the_documents_a_frame_too_many():
    assert len(np.arange(0, 17, 17 / 7)) == 8
    assert uniform(17, 7) == (0, 2, 4, 7, 9, 12, 14)


@given(st.integers(1, 10**6), st.integers(1, 500))
def test_frames_ascend_from_the_first(total, count):
    frames = uniform(total, count)
    assert len(frames) == min(total, count)
    assert frames[0] == 0
    assert all(before < after for before, after in pairwise(frames))
    assert frames[-1] < total


def test_every_frame_once():
    assert uniform(5, 5) == uniform(5, 9) == uniform(5, None) == (0, 1, 2, 3, 4)


@given(
    st.integers(1, 5000),
    st.sampled_from([Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(60), Fraction(23976, 1000)]),
    st.floats(0.01, 120),
    st.sampled_from([None, Fraction(1, 1000), Fraction(1, 90000)]),
)
def test_a_rate_is_kept_as_in_transformers(total, rate, fps, tick):
    timeline = even(total, rate, tick)
    metadata = VideoMetadata(total_num_frames=total, fps=float(rate))
    if int(total / float(rate) * fps) > total:
        assert at_rate(timeline, fps) == tuple(range(total))  # there, an error
    else:
        assert at_rate(timeline, fps) == tuple(default_sample_indices_fn(metadata, fps=fps))


def test_frames_that_last_differently_are_chosen_by_when_they_are_shown():
    times = tuple(Fraction(time) for time in (0, 1, 2, 10, 11, 12, 13))
    timeline = Timeline(7, Fraction(7, 20), times, Fraction(20))
    assert at_rate(timeline, 0.5) == (0, 2, 3, 5, 6)  # 0 s, 2 s, 4 s the same, 10 s, 12 s, 14 s and on
    assert at_rate(timeline, 0.05) == (0,)
    assert at_rate(timeline, 1000) == tuple(range(7))


def test_a_moment_of_jitter_does_not_make_a_clip_uneven():
    random = np.random.default_rng(0)
    times = tuple(Fraction(round(number * 40 + random.uniform(-9, 9)), 1000) for number in range(100))
    jittered = Timeline(100, Fraction(25), times, Fraction(4))
    assert at_rate(jittered, 2) == at_rate(even(100, Fraction(25)), 2) == uniform(100, 8)


def test_no_rate_is_known():
    with pytest.raises(UnsuitableOption) as caught:
        at_rate(Timeline(10), 1)
    assert "--frames" in str(caught.value.hint)


def test_memory_has_an_end():
    refuse_beyond_memory(32, 3840, 2160)
    with pytest.raises(InputTooLarge) as caught:
        refuse_beyond_memory(1800, 1920, 1080)
    assert "--frames" in str(caught.value.hint)
