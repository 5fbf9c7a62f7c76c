"""Which frames of a clip to look at: so many spread over it, or so many a second."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from llavacli_core.errors import InputTooLarge, UnsuitableOption
from llavacli_core.messages import Video

MAX_PICTURE_BYTES = 2**32
PIXEL_BYTES = 4  # as Pillow keeps RGB


@dataclass(frozen=True)
class Timeline:
    """A clip's frames in display order.

    `times` are when each is first shown, in seconds (None where the container does not say), `end` is when the last
    one goes; `rate` is the average number of frames a second (None where nothing tells).
    """

    total: int
    rate: Fraction | None = None
    times: tuple[Fraction, ...] | None = None
    end: Fraction = Fraction(0)


Choose = Callable[[Timeline], tuple[int, ...]]


def chooser(video: Video, default_frames: int | None) -> Choose:
    """The function from a clip's timeline to the numbers of the wanted frames; see `uniform` and `at_rate`."""
    fps = video.fps
    if fps is None:
        count = default_frames if video.frames is None else video.frames
        return lambda timeline: uniform(timeline.total, count)
    return lambda timeline: at_rate(timeline, fps)


def uniform(total: int, count: int | None) -> tuple[int, ...]:
    """floor(i * total / count) for each i below `count`: what the documents' np.arange(0, total, total / count) means.

    Every frame, once, where there are no more than `count` or where `count` is None.
    """
    if count is None or count >= total:
        return tuple(range(total))
    return tuple(i * total // count for i in range(count))


def at_rate(timeline: Timeline, fps: float) -> tuple[int, ...]:
    """`fps` frames a second, spread over the clip as transformers' `VideoProcessor.sample_frames` does.

    Where frames last differently long, taken are those that are on show at evenly spaced moments.
    """
    if timeline.rate is None:
        hint = "give the number of frames (--frames)"
        raise UnsuitableOption("fps cannot be used on frames without a rate", hint=hint)
    total, times = timeline.total, timeline.times
    if times is None or _is_even(times):
        count = min(total / float(timeline.rate) * fps, total)
        return uniform(total, max(1, int(count)))
    span = timeline.end - times[0]
    step = span / max(1, int(span * Fraction(fps)))
    shown = pairwise((*times, timeline.end))
    return tuple(n for n, (start, stop) in enumerate(shown) if _next_moment(start - times[0], step) < stop - times[0])


def _next_moment(time: Fraction, step: Fraction) -> Fraction:
    """The first multiple of `step` that is not before `time`."""
    return math.ceil(time / step) * step


def refuse_beyond_memory(frames: int, width: int, height: int) -> None:
    """Raise InputTooLarge for so many pictures of a size that they would crowd out everything else in memory."""
    if frames * width * height * PIXEL_BYTES > MAX_PICTURE_BYTES:
        raise InputTooLarge(
            f"{frames} frames of {width} x {height} pixels take more than {MAX_PICTURE_BYTES / 2**30:.0f} GB of memory",
            hint="take fewer frames (--frames, --fps), or scale the clip down first",
        )


def _is_even(times: tuple[Fraction, ...]) -> bool:
    """Whether each frame is shown within half a step of where a constant rate puts it; containers round times."""
    if len(times) < 3:
        return True
    step = (times[-1] - times[0]) / (len(times) - 1)
    return all(abs(time - times[0] - i * step) * 2 < step for i, time in enumerate(times))
