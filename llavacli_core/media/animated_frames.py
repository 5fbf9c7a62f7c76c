"""GIF, APNG, WebP and AVIF files of several frames, as clips: decoded and composited by Pillow."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from itertools import accumulate

from PIL import Image, ImageSequence

from llavacli_core.errors import UnreadableInput
from llavacli_core.media.chosen import Chosen, Pictures
from llavacli_core.media.colour import to_rgb
from llavacli_core.media.footage import Footage
from llavacli_core.media.names import shown
from llavacli_core.media.picture import decode, turn_of, turned
from llavacli_core.media.quiet import quiet
from llavacli_core.media.sampling import Choose, Timeline, refuse_beyond_memory
from llavacli_core.media.source import read_source

GIF_TRAILER = b";"
UNSTATED = Fraction(1, 10)  # seconds that a frame without a duration is shown, as browsers have it


def decode_animation(footage: Footage, choose: Choose) -> Chosen:
    """The frames that `choose` picks, in RGB, by their numbers.

    Raises UnreadableInput for a still picture or a damaged file, and InputTooLarge. Of an animation whose tail is
    damaged, the frames before that are the clip.
    """
    data = footage.content if isinstance(footage.content, bytes) else read_source(footage.content).data
    assert isinstance(data, bytes)
    size = decode(data, footage.name).size  # the first frame: refuses what is damaged, too large, or no picture
    with quiet():
        lengths = [_seconds(frame) for frame in _frames(data)]
        *times, end = accumulate(lengths, initial=Fraction(0))
        if len(times) < 2:
            raise UnreadableInput(f"{shown(footage.name)}: is a still picture, no video", hint="give it as a picture")
        numbers = choose(Timeline(len(times), len(times) / end, tuple(times), end))
        refuse_beyond_memory(len(numbers), *size)
        wanted, found, turn = set(numbers), Pictures(), _turn(data)
        for number, frame in enumerate(_frames(data)):
            if number in wanted:
                found[number] = turned(to_rgb(frame.copy()), turn)
            if number == numbers[-1]:
                break
    return Chosen(found, _is_whole(data, len(times)))


def _turn(data: bytes) -> Image.Transpose | None:
    """What brings the frames upright: the file says it once."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return turn_of(image)


def _is_whole(data: bytes, count: int) -> bool:
    """Whether there are as many frames as the file says, or where GIF says none, whether it has its last byte."""
    with Image.open(io.BytesIO(data)) as image:
        if image.format == "GIF":
            return data.rstrip(b"\0\r\n").endswith(GIF_TRAILER)
        return count >= int(getattr(image, "n_frames", 1)) - bool(getattr(image, "default_image", False))


def _frames(data: bytes) -> Iterator[Image.Image]:
    """The frames, each loaded and valid until the next; without what an APNG shows where it is not animated."""
    with Image.open(io.BytesIO(data)) as image:
        skipped = bool(getattr(image, "default_image", False))
        frames = ImageSequence.Iterator(image)
        while True:
            try:
                frame = next(frames)
                frame.load()
            except Exception:  # the end, or damage: decoders fail in every way there is
                return
            if not skipped:
                yield frame
            skipped = False


def _seconds(frame: Image.Image) -> Fraction:
    """How long the frame is shown; Pillow gives milliseconds."""
    duration = frame.info.get("duration", 0)
    return Fraction(duration) / 1000 if duration > 0 else UNSTATED
