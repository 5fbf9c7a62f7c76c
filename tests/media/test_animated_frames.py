"""GIF, APNG and WebP as clips: whole frames, as Pillow composites them, timed by their own durations."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageDraw

from llavacli_core.errors import UnreadableInput
from llavacli_core.media.clip import read_clip
from llavacli_core.media.picture import decode
from llavacli_core.messages import Video
from tests.media.files import stored

KINDS = {"GIF": {}, "PNG": {}, "WEBP": {"lossless": True}}


def dots(number: int = 6) -> list[Image.Image]:
    """A dot that moves over a flat ground: what changes from frame to frame is a part of it."""
    frames = []
    for index in range(number):
        frame = Image.new("RGB", (40, 30), "navy")
        ImageDraw.Draw(frame).rectangle((5 * index, 8, 5 * index + 8, 16), fill="orange")
        frames.append(frame)
    return frames


def animated(kind: str, frames: list[Image.Image], **options: object) -> bytes:
    return stored(
        frames[0], kind, save_all=True, append_images=frames[1:], **{"duration": 100, **KINDS[kind], **options}
    )


@pytest.mark.parametrize("kind", KINDS)
def test_frames(kind):
    clip = read_clip(Video(animated(kind, dots()), frames=3), default_frames=None)
    assert (clip.width, clip.height, clip.frames) == (40, 30, (0, 2, 4))
    for number, picture in zip(clip.frames, clip.pictures, strict=True):
        assert picture.mode == "RGB"
        assert np.array_equal(picture, dots()[number])


@pytest.mark.parametrize("disposal", [0, 1, 2])
def test_every_disposal_of_a_gif(disposal):
    data = animated("GIF", dots(), disposal=disposal)
    clip = read_clip(Video(data), default_frames=None)
    assert all(np.array_equal(picture, frame) for picture, frame in zip(clip.pictures, dots(), strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_transparency_is_laid_on_white_as_in_pictures(kind):
    frames = [Image.new("RGBA", (20, 10), (200, 0, 0, 255 if index % 2 else 0)) for index in range(4)]
    for index, frame in enumerate(frames):
        frame.putpixel((index, 0), (0, 0, 255, 255))
    data = animated(kind, frames, disposal=2) if kind != "WEBP" else animated(kind, frames)
    clip = read_clip(Video(data), default_frames=None)
    assert np.array_equal(clip.pictures[0], decode(data))
    assert clip.pictures[0].getpixel((10, 5)) == (255, 255, 255)
    assert clip.pictures[1].getpixel((10, 5)) == (200, 0, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_rate_goes_by_the_durations(kind):
    steady = animated(kind, dots())
    assert read_clip(Video(steady, fps=5), default_frames=None).frames == (0, 2, 4)
    uneven = animated(kind, dots(), duration=[100, 100, 100, 900, 100, 100])
    assert read_clip(Video(uneven, fps=5), default_frames=None).frames == (0, 2, 3, 4)  # at 0, 0.2, 0.4 ... 1.2 s


def test_a_gif_that_states_no_durations():
    data = animated("GIF", dots(), duration=0)
    assert read_clip(Video(data, fps=5), default_frames=None).frames == (0, 2, 4)


def test_the_picture_an_apng_shows_elsewhere_is_no_frame():
    data = animated("PNG", dots(), default_image=True)
    clip = read_clip(Video(data), default_frames=None)
    assert clip.frames == (0, 1, 2, 3, 4)
    assert np.array_equal(clip.pictures[0], dots()[1])


@pytest.mark.parametrize("kind", [*KINDS, "AVIF"])
def test_a_still_is_no_video(kind):
    with pytest.raises(UnreadableInput, match="still picture") as caught:
        read_clip(Video(stored(dots()[0], kind)), default_frames=8)
    assert caught.value.hint


@pytest.mark.parametrize("kind", ["GIF", "PNG"])
def test_a_missing_tail_leaves_what_decodes(kind):
    data = animated(kind, dots())
    clip = read_clip(Video(data[: int(len(data) * 0.7)]), default_frames=None)
    assert 1 < len(clip.frames) < 6
    assert all(np.array_equal(picture, frame) for picture, frame in zip(clip.pictures, dots(), strict=False))


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_beginning(kind):
    data = animated(kind, dots())
    with pytest.raises(UnreadableInput) as caught:
        read_clip(Video(data[:24]), default_frames=8)
    assert caught.value.hint


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_frames_are_upright(kind):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    data = animated(kind, dots(), exif=exif)
    clip = read_clip(Video(data, frames=3), default_frames=None)
    assert (clip.width, clip.height) == decode(data).size == (30, 40)
    for number, picture in zip(clip.frames, clip.pictures, strict=True):
        assert np.array_equal(picture, dots()[number].transpose(Image.Transpose.ROTATE_270))
