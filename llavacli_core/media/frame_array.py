"""Frames handed over in memory (an array [F, H, W, 3], or a list of pictures) -> the chosen ones as pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from llavacli_core.errors import UnreadableInput
from llavacli_core.media.chosen import Chosen
from llavacli_core.media.picture import decode
from llavacli_core.media.sampling import Choose, Timeline, refuse_beyond_memory

SHAPE = "give an array [frames, height, width, 3] of 8-bit numbers, or a list of pictures"


def choose_frames(frames: Any, choose: Choose) -> tuple[str, Chosen]:
    """A hash of all frames' sizes and pixels, and the frames that `choose` picks.

    `frames` is a numpy array, whatever numpy makes one of without a copy to speak of (a torch tensor), or a sequence of
    PIL images. Raises UnreadableInput for other shapes and numbers, and for no frames at all.
    """
    arrays = _arrays(frames)
    if not len(arrays):
        raise UnreadableInput("the video has no frames", hint="give at least one")
    digest = hashlib.sha256(f"frames {len(arrays)}\n".encode())
    for array in arrays:
        height, width, _ = array.shape
        digest.update(f"RGB {width}x{height}\n".encode())
        digest.update(array.tobytes())
    numbers = choose(Timeline(len(arrays)))
    height, width, _ = arrays[0].shape
    refuse_beyond_memory(len(numbers), width, height)
    return digest.hexdigest(), Chosen({number: Image.fromarray(arrays[number]) for number in numbers})


def _arrays(frames: Any) -> Sequence[NDArray[np.uint8]] | NDArray[np.uint8]:
    """A uint8 array [H, W, 3] for each frame."""
    if isinstance(frames, (list, tuple)) and all(isinstance(frame, Image.Image) for frame in frames):
        return [np.asarray(decode(frame)) for frame in frames]
    try:
        array = np.asarray(frames)
    except Exception as error:  # numpy asks the object, which may do as it likes
        raise UnreadableInput(f"a video cannot be read from a {type(frames).__name__}", hint=SHAPE) from error
    if array.dtype == object or array.ndim != 4 or array.shape[-1] != 3 or 0 in array.shape[1:3]:
        what = f"an array of shape {list(array.shape)}" if array.ndim else f"a {type(frames).__name__}"
        raise UnreadableInput(f"a video cannot be read from {what}", hint=SHAPE)
    if array.dtype != np.uint8:
        raise UnreadableInput(f"a video's frames are 8-bit numbers (uint8), not {array.dtype}", hint=SHAPE)
    return array
