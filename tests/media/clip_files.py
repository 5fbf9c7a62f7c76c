"""Small clips of many codecs and containers, made with PyAV, and what decoding all of one gives."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache

import av
import numpy as np
from PIL import Image

Array = np.ndarray


@cache
def drawn(length: int, width: int, height: int) -> Array:
    """[F, H, W, 3]: a landscape that the camera pans over, with something fast before it, no two frames alike."""
    random = np.random.default_rng(length)
    small = random.integers(0, 256, (height // 6 + 2, width // 4 + 2, 3), dtype=np.uint8)
    ground = np.asarray(Image.fromarray(small).resize((2 * width, height), Image.Resampling.BICUBIC))
    frames = np.stack([np.roll(ground, -2 * number, axis=1)[:, :width] for number in range(length)])
    for number, frame in enumerate(frames):
        x, y = 5 * number % (width - 8), 3 * number % (height - 8)
        frame[y : y + 8, x : x + 8] = (255 - 2 * number % 256, 2 * number % 256, 40)
    return frames


@dataclass(frozen=True)
class Recipe:
    """How to make a clip: `times` are presentation times in units of 1/`rate` seconds, by default one after another."""

    codec: str = "libx264"
    container: str = "mp4"
    options: dict[str, str] = field(default_factory=dict)
    length: int = 60
    size: tuple[int, int] = (96, 64)
    rate: int = 25
    pixels: str = "yuv420p"
    times: Sequence[int] | None = None
    rotation: tuple[int, ...] | None = None  # a display matrix
    sound: bool = False
    muxer: dict[str, str] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash(repr(self))


@cache
def made(recipe: Recipe) -> bytes:
    """The clip's file."""
    buffer = io.BytesIO()
    width, height = recipe.size
    with av.open(buffer, "w", format=recipe.container, options=recipe.muxer) as container:
        stream = container.add_stream(recipe.codec, rate=recipe.rate, options=recipe.options)
        stream.width, stream.height, stream.pix_fmt = width, height, recipe.pixels
        stream.time_base = stream.codec_context.time_base = Fraction(1, recipe.rate)
        if recipe.rotation is not None:
            stream.set_display_matrix(recipe.rotation)
        tone = (
            container.add_stream("mp2" if recipe.container in ("mpegts", "avi") else "aac", rate=44100)
            if recipe.sound
            else None
        )
        for number, pixels in enumerate(drawn(recipe.length, width, height)):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = recipe.times[number] if recipe.times is not None else number
            frame.time_base = Fraction(1, recipe.rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if tone is not None:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.int16), format="s16", layout="mono")
            silence.sample_rate = 44100
            container.mux(tone.encode(silence))
            container.mux(tone.encode())
    return buffer.getvalue()


def sound(*, cover: bool = False) -> bytes:
    """A second of silence in MP4, and a picture that goes with it."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        tone = container.add_stream("aac", rate=44100)
        if cover:
            art = container.add_stream("mjpeg", rate=1)
            art.width, art.height, art.pix_fmt = 32, 32, "yuvj420p"
            art.disposition = av.stream.Disposition.attached_pic
            container.mux(art.encode(av.VideoFrame.from_ndarray(drawn(1, 32, 32)[0], format="rgb24")))
            container.mux(art.encode())
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 44100
        container.mux(tone.encode(silence))
        container.mux(tone.encode())
    return buffer.getvalue()


def every_frame(data: bytes) -> list[Array]:
    """What PyAV gives for a plain decoding of all packets, in RGB; up to the first packet that does not decode."""
    frames: list[Array] = []
    with av.open(io.BytesIO(data)) as container:
        try:
            for frame in container.decode(video=0):
                frames.append(frame.to_ndarray(format="rgb24"))
        except av.InvalidDataError:
            pass
    return frames
