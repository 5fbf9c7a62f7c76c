"""Every way to name a clip or hand one over gives named, hashed, upright frames, or says what is wrong with it."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from llavacli_core.errors import BadOption, InputTooLarge, MissingInput, UnreadableInput, UnsuitableOption, UrlError
from llavacli_core.media import footage, sampling
from llavacli_core.media.clip import read_clip
from llavacli_core.media.footage import is_video
from llavacli_core.messages import Video
from tests.media.clip_files import Recipe, drawn, every_frame, made
from tests.media.files import noise, stored

DATA = made(Recipe(options={"g": "12"}, length=20))
FRAMES = drawn(11, 48, 32)
PICTURES = [Image.fromarray(frame) for frame in FRAMES]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a clip.mp4"
    path.write_bytes(DATA)
    return path


@pytest.mark.parametrize("form", [str, Path, Path.as_uri], ids=["str", "PathLike", "file URL"])
def test_files(file, form):
    clip = read_clip(Video(form(file), frames=3), default_frames=8)
    assert (clip.name, clip.sha256) == (str(form(file)), hashlib.sha256(DATA).hexdigest())
    assert (clip.width, clip.height, clip.frames) == (96, 64, (0, 6, 13))
    assert all(picture.mode == "RGB" for picture in clip.pictures)
    assert np.array_equal(np.asarray(clip.pictures[1]), every_frame(DATA)[6])


def test_urls():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(DATA)))
            self.end_headers()
            self.wfile.write(DATA)

        def log_message(self, *arguments: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request).start()
        url = f"http://127.0.0.1:{server.server_port}/clip"
        clip = read_clip(Video(url, frames=3), default_frames=8)
    assert (clip.name, clip.sha256, clip.frames) == (url, hashlib.sha256(DATA).hexdigest(), (0, 6, 13))


@pytest.mark.parametrize("form", [bytes, bytearray, memoryview])
def test_bytes_have_no_name(form):
    clip = read_clip(Video(form(DATA)), default_frames=2)
    assert (clip.name, clip.sha256, clip.frames) == ("-", hashlib.sha256(DATA).hexdigest(), (0, 10))


def test_how_many_frames():
    def numbers(default: int | None, **asked: float) -> tuple[int, ...]:
        return read_clip(Video(DATA, **asked), default_frames=default).frames

    assert numbers(4) == (0, 5, 10, 15)
    assert numbers(4, frames=2) == (0, 10)
    assert numbers(None) == numbers(32) == numbers(4, frames=20) == numbers(4, frames=1000) == tuple(range(20))
    assert numbers(4, fps=5) == (0, 5, 10, 15)  # 20 frames of 25 a second
    assert numbers(4, fps=0.01) == (0,)
    assert numbers(4, fps=1e300) == tuple(range(20))


@pytest.mark.parametrize(
    ("asked", "option"),
    [
        ({"frames": 0}, "frames"),
        ({"frames": -1}, "frames"),
        ({"frames": 2.5}, "frames"),
        ({"frames": "8"}, "frames"),
        ({"frames": True}, "frames"),
        ({"fps": 0}, "fps"),
        ({"fps": -1.0}, "fps"),
        ({"fps": float("nan")}, "fps"),
        ({"fps": float("inf")}, "fps"),
        ({"fps": "1"}, "fps"),
        ({"frames": 8, "fps": 1}, None),
    ],
)
def test_options_out_of_range(asked, option):
    with pytest.raises(BadOption) as caught:
        Video(DATA, **asked)
    assert caught.value.option == option


def test_frames_in_memory():
    clip = read_clip(Video(FRAMES), default_frames=4)
    assert (clip.name, clip.width, clip.height, clip.frames) == ("-", 48, 32, (0, 2, 5, 8))
    assert np.array_equal(np.stack(clip.pictures), FRAMES[[0, 2, 5, 8]])
    others = [FRAMES[:-1], FRAMES[::-1], FRAMES.reshape(11, 48, 32, 3), FRAMES[:, ::-1]]
    assert len({clip.sha256, *(read_clip(Video(other), default_frames=4).sha256 for other in others)}) == 5


@pytest.mark.parametrize("form", ["list of arrays", "list of pictures", "tensor"])
def test_frames_in_other_forms(form):
    if form == "tensor":
        import torch

        frames = torch.from_numpy(FRAMES.copy())
    else:
        frames = [frame if form == "list of arrays" else Image.fromarray(frame) for frame in FRAMES]
    clip = read_clip(Video(frames, frames=2), default_frames=None)
    assert clip.sha256 == read_clip(Video(FRAMES), default_frames=None).sha256
    assert np.array_equal(np.stack(clip.pictures), FRAMES[[0, 5]])


@pytest.mark.parametrize(
    "frames",
    [FRAMES[0], FRAMES.astype(np.float32), FRAMES[..., 0], FRAMES[:0], [], [FRAMES[0], FRAMES[1][1:]], 3.5, {}],
)
def test_what_is_no_frames(frames):
    with pytest.raises(UnreadableInput) as caught:
        read_clip(Video(frames), default_frames=4)
    assert caught.value.hint


def test_frames_in_memory_have_no_rate():
    with pytest.raises(UnsuitableOption) as caught:
        read_clip(Video(FRAMES, fps=1), default_frames=4)
    assert "--frames" in str(caught.value.hint)


@pytest.mark.parametrize(
    "source", [DATA, FRAMES, stored(PICTURES[0], "GIF", save_all=True, append_images=PICTURES[1:])]
)
def test_more_than_memory_holds(source, monkeypatch):
    monkeypatch.setattr(sampling, "MAX_PICTURE_BYTES", 9 * 48 * 32 * 4)
    with pytest.raises(InputTooLarge, match=r"^-: \d+ frames") as caught:
        read_clip(Video(source), default_frames=None)
    assert "--frames" in str(caught.value.hint)


def test_what_is_not_a_readable_file(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    (tmp_path / "words").write_text("nothing to see")
    stored_picture = stored(noise(20, 10), "JPEG")
    (tmp_path / "picture.mp4").write_bytes(stored_picture)
    for name, words in {
        "": "is a folder",
        "pipe": "not a regular file",
        "empty": "empty",
        "words": "not a video",
        "picture.mp4": "is a picture",
    }.items():
        with pytest.raises(UnreadableInput, match=words) as caught:
            read_clip(Video(tmp_path / name), default_frames=8)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert caught.value.hint
    with pytest.raises(MissingInput):
        read_clip(Video(tmp_path / "nowhere.mp4"), default_frames=8)
    with pytest.raises(UrlError):
        read_clip(Video("rtsp://127.0.0.1/clip"), default_frames=8)
    monkeypatch.setattr(footage, "MAX_BYTES", 3)
    with pytest.raises(InputTooLarge):
        read_clip(Video(tmp_path / "words"), default_frames=8)


def test_large_files_are_read_in_pieces(tmp_path):
    size = 2**40  # sparse: nothing is stored
    path = tmp_path / "huge.mp4"
    with path.open("wb") as sparse:
        sparse.truncate(size)
    with pytest.raises(InputTooLarge):
        read_clip(Video(path), default_frames=8)


def test_backends():
    with pytest.raises(BadOption, match="pyav"):
        read_clip(Video(DATA), default_frames=2, backend="opencv")
    clip = read_clip(Video(DATA), default_frames=2, backend="pyav")
    assert np.array_equal(clip.pictures[1], every_frame(DATA)[10])


def test_decord_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "decord", None)
    with pytest.raises(BadOption, match="not installed") as caught:
        read_clip(Video(DATA), default_frames=2, backend="decord")
    assert "pip install" in str(caught.value.hint)


def test_a_video_is_told_by_its_content(file, tmp_path):
    assert is_video(file)
    assert is_video(str(file))
    assert is_video(file.as_uri())
    assert is_video(DATA)
    (tmp_path / "clip.mp4").write_bytes(stored(noise(20, 10)))
    os.mkfifo(tmp_path / "pipe.mp4")
    for other in ("clip.mp4", "pipe.mp4", "nowhere.mp4", ""):
        assert not is_video(tmp_path / other)
    assert not is_video("https://example.org/clip.mp4")  # nothing is fetched to find out
    assert not is_video("ftp://example.org/clip.mp4")
    assert not is_video(b"")
