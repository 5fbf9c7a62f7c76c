"""decord, where it is installed, gives the frames that PyAV gives, or leaves them to it."""

from __future__ import annotations

import numpy as np
import pytest

from llavacli_core.errors import UnreadableInput
from llavacli_core.media.clip import read_clip
from llavacli_core.messages import Video
from tests.media.clip_files import Recipe, made, sound

pytest.importorskip("decord")

B = {"g": "12", "keyint_min": "12", "bf": "2"}
M, W = 1 << 16, 1 << 30
RECIPES = {
    "H.264": Recipe(options=B),
    "H.264, MKV": Recipe(container="matroska", options=B),
    "H.264, MPEG-TS": Recipe(container="mpegts", options=B),
    "H.264, AVI": Recipe(container="avi", options=B),
    "H.264, edited": Recipe(options=B, times=range(-7, 53)),
    "H.264, open groups": Recipe(options=B | {"x264-params": "open-gop=1"}),
    "H.264, interlaced": Recipe(options=B | {"flags": "+ildct+ilme", "x264-params": "tff=1"}),
    "H.264, turned": Recipe(options=B, rotation=(0, M, 0, -M, 0, 0, 0, 0, W)),
    "H.264, odd size": Recipe(options=B, size=(98, 66)),
    "H.264, 4:4:4": Recipe(options=B, pixels="yuv444p"),
    "H.264, 10 bits": Recipe(options=B, pixels="yuv420p10le"),
    "H.264, full range": Recipe(options=B, pixels="yuvj420p"),
    "H.264, BT.709": Recipe(options=B | {"colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709"}),
    "H.264, variable rate": Recipe(options=B, times=[number * number for number in range(60)]),
    "HEVC": Recipe("libx265", options={"x265-params": "keyint=12:log-level=none"}),
    "MPEG-4": Recipe("mpeg4", "avi", options=B),
    "VP9": Recipe("libvpx-vp9", "webm", options={"g": "12", "cpu-used": "8"}),
    "MJPEG": Recipe("mjpeg", "mov", pixels="yuvj420p"),
}


@pytest.mark.parametrize("asked", [{"frames": 7}, {"fps": 5}])
@pytest.mark.parametrize("name", RECIPES)
def test_the_same_frames(name, asked, tmp_path):
    path = tmp_path / "clip"
    path.write_bytes(made(RECIPES[name]))
    for source in (path, path.read_bytes()):
        theirs = read_clip(Video(source, **asked), default_frames=8, backend="decord")
        ours = read_clip(Video(source, **asked), default_frames=8)
        assert (theirs.frames, theirs.width, theirs.height) == (ours.frames, ours.width, ours.height)
        assert all(np.array_equal(a, b) for a, b in zip(theirs.pictures, ours.pictures, strict=True))


@pytest.mark.parametrize("data", [b"ffconcat version 1.0\nfile a.mp4\n", sound(), made(RECIPES["H.264"])[:300]])
def test_what_is_no_clip(data):
    with pytest.raises(UnreadableInput):
        read_clip(Video(data), default_frames=8, backend="decord")
