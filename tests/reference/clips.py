"""Small clips, as arrays of frames and as files, and the frames of them that the documents' sampling takes."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from functools import cache

import av
import numpy as np
from PIL import Image

from tests.reference.pictures import scene

DEFAULT = 32  # frames, where nobody says how many


@dataclass(frozen=True)
class Clip:
    """A clip by the numbers that it is drawn from; `frames` of it are asked for."""

    length: int
    width: int = 60
    height: int = 44
    seed: int = 0
    frames: int | None = None
    encoded: bool = False  # a file rather than an array
    turned: bool = False  # the file says to turn its frames by a quarter, clockwise

    @property
    def source(self) -> np.ndarray | bytes:
        """What our engine is given."""
        return as_file(self) if self.encoded else drawn(self.length, self.width, self.height, self.seed)

    @property
    def seen(self) -> list[Image.Image]:
        """What the reference is given: frames floor(i * length / n) of all that were decoded."""
        every = decoded(self.source) if isinstance(self.source, bytes) else self.source
        every = np.rot90(every, -1, (1, 2)) if self.turned else every
        wanted = min(self.frames or DEFAULT, len(every))
        return [Image.fromarray(every[number * len(every) // wanted]) for number in range(wanted)]


@cache
def drawn(length: int, width: int, height: int, seed: int) -> np.ndarray:
    """[F, H, W, 3]: a scene that wanders, each frame with a bright column of its own."""
    canvas = np.asarray(scene(width, height, seed))
    frames = np.stack([np.roll(canvas, 3 * number, axis=1) for number in range(length)])
    for number, frame in enumerate(frames):
        frame[:, number % width] = (255, 2 * number % 256, 40)
    return frames


@cache
def as_file(clip: Clip) -> bytes:
    """An MP4 of the frames."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = clip.width, clip.height, "yuv420p"
        for array in drawn(clip.length, clip.width, clip.height, clip.seed):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(array, format="rgb24")))
        container.mux(stream.encode())
    return with_matrix(buffer.getvalue()) if clip.turned else buffer.getvalue()


def with_matrix(file: bytes) -> bytes:
    """The file with a quarter turn in its track header, where phones write how they were held."""
    plain = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    turned = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    place = file.index(plain, file.index(b"tkhd"))
    return file[:place] + turned + file[place + len(plain) :]


def decoded(file: bytes) -> np.ndarray:
    """Every frame of a file."""
    with av.open(io.BytesIO(file)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
