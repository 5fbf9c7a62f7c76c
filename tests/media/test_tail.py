"""A clip whose file breaks off is shown as far as it goes, with a warning; a whole one is shown without a word."""

from __future__ import annotations

import io
from contextlib import suppress

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from llavacli_core.errors import CoreError
from llavacli_core.media.clip import Clip, read_clip
from llavacli_core.media.footage import find_footage
from llavacli_core.media.tail import breaks_off
from llavacli_core.messages import Video
from tests.media.clip_files import Recipe, drawn, made
from tests.media.files import stored

B = {"g": "12", "bf": "2"}
LARGE = (320, 240)  # frames of many packets of a transport stream each
CLIPS = {
    "MP4": Recipe(options=B),
    "MP4, fragments": Recipe(options=B, muxer={"movflags": "frag_keyframe+empty_moov"}),
    "MKV": Recipe(container="matroska", options=B),
    "WebM": Recipe("libvpx", "webm", options={"g": "12", "deadline": "realtime"}),
    "MPEG-TS": Recipe(container="mpegts", options=B, size=LARGE, length=30),
    "MPEG-2, MPEG-TS": Recipe("mpeg2video", "mpegts", options=B, size=LARGE, length=30),
    "AVI": Recipe("mpeg4", "avi", options=B),
    "FLV": Recipe("flv", "flv", options={"g": "12"}),
    "no container": Recipe(container="h264", options=B),
}
PICTURES = [Image.fromarray(frame) for frame in drawn(11, 48, 32)]


def clip_of(data: bytes) -> Clip:
    return read_clip(Video(data, frames=4), default_frames=None)


def index_first(data: bytes) -> bytes:
    """An MP4 file with its index before its frames, as players like it on the web."""
    with av.open(io.BytesIO(data)) as source:
        stream = source.streams.video[0]
        buffer = io.BytesIO()
        with av.open(buffer, "w", format="mp4", options={"moov_size": "4000"}) as container:
            copy = container.add_stream_from_template(stream)
            for packet in source.demux(stream):
                if packet.dts is not None:
                    packet.stream = copy
                    container.mux(packet)
    return buffer.getvalue()


def file_of(name: str) -> bytes:
    if CLIPS[name].codec not in av.codecs_available:
        pytest.skip(f"no encoder {CLIPS[name].codec}")
    data = made(CLIPS[name])
    return index_first(data) if name == "MP4" else data


@pytest.mark.parametrize("name", CLIPS)
def test_a_clip_that_breaks_off_is_warned_of(name):
    data = file_of(name)
    whole = clip_of(data)
    assert whole.warnings == ()
    for share in (0.9, 0.5):
        cut = clip_of(data[: int(share * len(data))])
        assert cut.warnings == ("-: the file is cut off or damaged; the frames are of what can be read",)
        assert cut.frames[-1] < whole.frames[-1]


@pytest.mark.parametrize("name", ["MPEG-TS", "MPEG-2, MPEG-TS"])
def test_whole_packets_of_half_a_frame(name):
    data = file_of(name)
    packets = len(data) // 188
    cuts = [data[: 188 * count] for count in range(packets // 2, packets // 2 + 10)]
    assert sum(bool(clip_of(cut).warnings) for cut in cuts) > 7


def test_a_tail_that_is_overwritten():
    data = bytearray(made(Recipe(options=B)))
    with av.open(io.BytesIO(data)) as container:
        starts = [packet.pos for packet in container.demux(video=0) if packet.size]
    data[starts[30] : starts[-1]] = bytes(starts[-1] - starts[30])
    clip = clip_of(bytes(data))
    assert clip.warnings
    assert clip.frames


@pytest.mark.parametrize("kind", ["GIF", "PNG"])
def test_animations(kind):
    data = stored(PICTURES[0], kind, save_all=True, append_images=PICTURES[1:])
    assert clip_of(data).warnings == ()
    assert clip_of(data[: int(0.6 * len(data))]).warnings


def test_an_animation_with_a_still_before_it():
    data = stored(PICTURES[0], "PNG", save_all=True, append_images=PICTURES[1:], default_image=True)
    assert clip_of(data).warnings == ()


def test_what_follows_a_file_is_nobodys(tmp_path):
    for name in ("MP4", "AVI", "MKV"):
        assert clip_of(file_of(name) + b"\0" * 100).warnings == ()
        path = tmp_path / "clip"
        path.write_bytes(file_of(name)[:-1])
        (warning,) = read_clip(Video(path, frames=4), default_frames=None).warnings
        assert warning.startswith(f"{path}: ")


@given(st.sampled_from(["MP4", "MKV", "AVI", "MPEG-TS"]), st.data())
def test_damaged_headers_end_in_an_answer(name, data):
    file = bytearray(file_of(name))
    for _ in range(3):
        file[data.draw(st.integers(0, 200))] = data.draw(st.integers(0, 255))
    with suppress(CoreError):
        assert breaks_off(find_footage(bytes(file))) in (True, False)
