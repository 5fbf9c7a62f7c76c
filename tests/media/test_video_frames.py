"""The frames of a clip are, to the last bit, those of decoding all of it, however little was decoded."""

from __future__ import annotations

import io
import os
import signal
import threading
import time

import av
import numpy as np
import pytest

from llavacli_core.errors import UnreadableInput
from llavacli_core.media import upright, video_frames
from llavacli_core.media.clip import Clip, read_clip
from llavacli_core.media.packets import packets_of
from llavacli_core.media.sampling import uniform
from llavacli_core.messages import Video
from tests.media.clip_files import Recipe, every_frame, made

G = {"g": "12", "keyint_min": "12"}
B = G | {"bf": "2", "sc_threshold": "0"}
X265 = {"x265-params": "keyint=12:min-keyint=12:log-level=none"}
HIDDEN = {"g": "30", "auto-alt-ref": "1", "lag-in-frames": "16", "b": "200k"}

SHORT_WAY = {
    "H.264, MP4": Recipe(options=B),
    "H.264, pyramid of B-frames": Recipe(options=G | {"bf": "4", "b_strategy": "0"}),
    "H.264, open groups": Recipe(options=B | {"x264-params": "open-gop=1"}),
    "H.264, intra refresh": Recipe(options={"g": "20", "intra-refresh": "1"}),
    "H.264, one group": Recipe(options={"g": "250", "bf": "3"}),
    "H.264, 10 bits": Recipe(options=G, pixels="yuv422p10le"),
    "H.264, MKV": Recipe(container="matroska", options=B),
    "H.264, MOV with sound": Recipe(container="mov", options=B, sound=True),
    "H.264, MPEG-TS with sound": Recipe(container="mpegts", options=B, sound=True),
    "H.264, FLV": Recipe(container="flv", options=B),
    "H.264, fragments": Recipe(options=B, muxer={"movflags": "frag_keyframe+empty_moov"}),
    "H.264, AVI without B-frames": Recipe(container="avi", options=G | {"bf": "0"}),
    "H.264, the first frames edited out": Recipe(options=B, times=range(-7, 53)),
    "H.264, variable rate": Recipe(options=B, times=[number * number for number in range(60)]),
    "HEVC, open groups": Recipe("libx265", options=X265),
    "HEVC, MPEG-TS": Recipe("libx265", "mpegts", options=X265),
    "HEVC, temporal layers": Recipe(
        "libx265", "matroska", options={"x265-params": "keyint=12:temporal-layers=3:log-level=none"}
    ),
    "MPEG-4, MP4": Recipe("mpeg4", options=B),
    "MPEG-4, AVI": Recipe("mpeg4", "avi", options=B),
    "MPEG-2, MPEG-TS": Recipe("mpeg2video", "mpegts", options=B),
    "MPEG-2, program stream": Recipe("mpeg2video", "vob", options=B),
    "MPEG-1, program stream": Recipe("mpeg1video", "mpeg", options=B),
    "VP8": Recipe("libvpx", "webm", options=G | {"deadline": "realtime"}),
    "VP8, alternate references": Recipe("libvpx", "webm", options=HIDDEN),
    "VP9, alternate references": Recipe("libvpx-vp9", "webm", options=HIDDEN | {"cpu-used": "8"}),
    "AV1": Recipe("libsvtav1", "webm", options={"g": "12", "preset": "12"}),
    "MJPEG, AVI": Recipe("mjpeg", "avi", pixels="yuvj420p"),
    "ProRes": Recipe("prores_ks", "mov", pixels="yuv422p10le"),
    "FFV1": Recipe("ffv1", "matroska", options={"g": "10"}),
}
LONG_WAY = {
    "H.264, AVI, whose stamps say nothing of B-frames": Recipe(container="avi", options=B),
    "H.264, no container": Recipe(container="h264", options=B),
    "H.264, interlaced": Recipe(options=B | {"flags": "+ildct+ilme", "x264-params": "tff=1"}),
    "MPEG-2, interlaced": Recipe("mpeg2video", "mpegts", options=B | {"flags": "+ildct+ilme"}),
    "WMV2": Recipe("wmv2", "asf", options=G),
    "Sorenson": Recipe("flv", "flv", options=G),
}


def make(recipe: Recipe) -> bytes:
    """The file; the test is skipped where this build of FFmpeg has no such encoder."""
    if recipe.codec not in av.codecs_available:
        pytest.skip(f"no encoder {recipe.codec}")
    return made(recipe)


def clip_of(data: bytes, frames: int | None = None, fps: float | None = None) -> Clip:
    return read_clip(Video(data, frames, fps), default_frames=None)


def outcome(data: bytes) -> Clip | UnreadableInput:
    """Eight frames, or why there are none."""
    try:
        return clip_of(data, 8)
    except UnreadableInput as error:
        return error


def same(clip: Clip, frames: list[np.ndarray]) -> bool:
    """Whether the clip's pictures are the frames of its numbers."""
    return all(np.array_equal(np.asarray(clip.pictures[i]), frames[n]) for i, n in enumerate(clip.frames))


@pytest.mark.parametrize("count", [1, 9, None])
@pytest.mark.parametrize("name", SHORT_WAY)
def test_part_of_a_clip_as_of_all_of_it(name, count, monkeypatch):
    data = make(SHORT_WAY[name])
    monkeypatch.setattr(video_frames, "_decode_all", None)
    clip, frames = clip_of(data, count), every_frame(data)
    assert clip.frames == uniform(len(frames), count)
    assert same(clip, frames)


@pytest.mark.parametrize("name", LONG_WAY)
def test_where_packets_do_not_tell(name):
    data = make(LONG_WAY[name])
    frames = every_frame(data)
    for count in (2, 9, None):
        clip = clip_of(data, count)
        assert clip.frames == uniform(len(frames), count)
        assert same(clip, frames)


def test_no_more_is_decoded_than_frames_hang_on(monkeypatch):
    data = made(Recipe(options=B))
    sent: list[int] = []
    gathered = video_frames._gathered

    def counted(*arguments):
        for run, packets in gathered(*arguments):
            sent.append(len(packets))
            yield run, packets

    monkeypatch.setattr(video_frames, "_gathered", counted)
    clip_of(data, 1)
    assert sent == [1]
    clip_of(data, 2)  # frames 0 and 30: the seventh of the third group
    assert sent[1] == 1
    assert sent[2] <= 6
    sent.clear()
    clip_of(data)
    assert sum(sent) == 60


def test_frames_of_a_few_workers_and_of_many(monkeypatch):
    data = made(Recipe(options=B))
    frames = every_frame(data)
    for cores in (1, 2, 7):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        assert same(clip_of(data, 20), frames)


M, W = 1 << 16, 1 << 30
MATRICES = {
    (0, M, 0, -M, 0, 0, 0, 0, W): lambda frame: np.rot90(frame, -1),
    (0, -M, 0, M, 0, 0, 0, 0, W): np.rot90,
    (-M, 0, 0, 0, -M, 0, 0, 0, W): lambda frame: frame[::-1, ::-1],
    (-M, 0, 0, 0, M, 0, 0, 0, W): lambda frame: frame[:, ::-1],
    (M, 0, 0, 0, -M, 0, 0, 0, W): lambda frame: frame[::-1],
    (M, 0, 0, 0, M, 0, 0, 0, W): lambda frame: frame,
    (M // 2, M // 2, 0, -M // 2, M // 2, 0, 0, 0, W): lambda frame: frame,  # 45 degrees: left alone
}


@pytest.mark.parametrize("matrix", MATRICES)
def test_frames_stand_upright(matrix):
    data = made(Recipe(options=B, length=14, rotation=matrix))
    frames = [MATRICES[matrix](frame) for frame in every_frame(data)]
    clip = clip_of(data, 5)
    assert (clip.height, clip.width) == frames[0].shape[:2]
    assert same(clip, frames)


def test_ffmpegs_angle_agrees():
    data = made(Recipe(options=B, length=2, rotation=(0, M, 0, -M, 0, 0, 0, 0, W)))
    with av.open(io.BytesIO(data)) as container:
        frame = next(container.decode(video=0))
    assert frame.rotation == -90  # counterclockwise
    assert upright.picture(frame).size == (64, 96)


@pytest.mark.parametrize("name", ["H.264, fragments", "H.264, MKV", "H.264, MPEG-TS with sound", "MPEG-4, AVI"])
@pytest.mark.parametrize("share", [0.9, 0.5])
def test_a_missing_tail_leaves_what_decodes(name, share):
    data = made(SHORT_WAY[name])
    cut = data[: int(share * len(data))]
    frames = every_frame(cut)
    assert 0 < len(frames) < 60
    clip = clip_of(cut, 4)
    assert clip.frames == uniform(len(frames), 4)
    assert same(clip, frames)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["H.264, MP4", "H.264, MKV", "H.264, MPEG-TS with sound", "MPEG-4, AVI"])
def test_damage_ends_in_frames_or_in_one_line(name, seed, capfd):
    data, random = bytearray(made(SHORT_WAY[name])), np.random.default_rng(seed)
    for place in random.integers(0 if seed else len(data) // 4, len(data), 40):
        data[place] = random.integers(256)
    result = outcome(bytes(data))
    if isinstance(result, UnreadableInput):
        assert "\n" not in str(result)
        assert result.hint
    else:
        assert {picture.size for picture in result.pictures} == {(96, 64)}
    assert capfd.readouterr() == ("", "")  # FFmpeg says nothing either


def test_an_index_that_is_missing():
    data = made(SHORT_WAY["H.264, MP4"])
    with pytest.raises(UnreadableInput, match="truncated or damaged") as caught:
        clip_of(data[: len(data) // 2])
    assert caught.value.hint


def test_no_frame_decodes(monkeypatch):
    data = made(SHORT_WAY["H.264, MKV"])
    with av.open(io.BytesIO(data)) as container:
        first = next(packet for packet in container.demux(video=0))
        start = data.index(bytes(first))
    with pytest.raises(UnreadableInput, match="no frame of it can be decoded"):
        clip_of(data[: start + 20])


def test_ctrl_c_ends_the_decoding_threads(monkeypatch):
    data = made(SHORT_WAY["H.264, MP4"])
    monkeypatch.setattr(video_frames, "picture", lambda frame: time.sleep(0.3))
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    started = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        clip_of(data)
    assert time.monotonic() - started < 5
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


@pytest.mark.parametrize("seed", range(25))
def test_damage_anywhere_in_any_container(seed):
    random = np.random.default_rng(seed)
    recipes = [recipe for recipe in [*SHORT_WAY.values(), *LONG_WAY.values()] if recipe.codec in av.codecs_available]
    data = bytearray(made(recipes[random.integers(len(recipes))]))
    for place in random.integers(0, (2000, len(data))[seed % 2], (1, 5, 50)[seed % 3]):
        data[place] = random.integers(256)
    result = outcome(bytes(data))
    assert isinstance(result, UnreadableInput) or result.pictures


@pytest.mark.parametrize("error", [IndexError, av.InvalidDataError(1, "damaged"), OSError])
def test_packets_end_where_reading_fails(error):
    class Container:
        def demux(self, stream):
            yield av.Packet(b"data")
            raise error  # an IndexError is PyAV's answer to streams that it learns of late

    assert [bytes(packet) for packet in packets_of(Container(), None)] == [b"data"]


def test_an_exception_in_a_thread_is_raised(monkeypatch):
    def fails(frame):
        raise MemoryError

    monkeypatch.setattr(video_frames, "picture", fails)
    with pytest.raises(MemoryError):
        clip_of(made(SHORT_WAY["H.264, MP4"]))
