"""A media file may only read itself: lists of other files, addresses and outside tracks are refused before they act."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from llavacli_core.errors import UnreadableInput
from llavacli_core.media.clip import read_clip
from llavacli_core.messages import Video
from tests.media.clip_files import Recipe, made, sound
from tests.media.external_track import pointing_elsewhere
from tests.media.witness import AVAILABLE, Witness

needs_witness = pytest.mark.skipif(not AVAILABLE, reason="the witness is Linux's")
GROUPS = {"g": "12"}


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[tuple[Path, Witness]]:
    """A sound video beside the file under test, and who opens it."""
    path = tmp_path / "canary.ts"
    path.write_bytes(made(Recipe(container="mpegts", options=GROUPS, length=20)))
    witness = Witness(path)
    yield path, witness
    witness.close()


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """Something that listens on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0)
        yield listening


def called(server: socket.socket) -> bool:
    """Whether anyone has connected."""
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def playlist(entry: str) -> str:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{entry}\n#EXT-X-ENDLIST\n"


def refused(source: str | Path | bytes) -> str:
    with pytest.raises(UnreadableInput) as caught:
        read_clip(Video(source), default_frames=8)
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    return str(caught.value)


LISTS = {
    "playlist": playlist("{path}"),
    "playlist of a name": playlist("{name}"),
    "playlist of an address": playlist("http://127.0.0.1:{port}/a.ts"),
    "list of files": "ffconcat version 1.0\nfile {name}\n",
    "list of files by paths": "ffconcat version 1.0\nfile '{path}'\n",
    "stream description": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n"
    "a=rtpmap:96 H264/90000\n",
    "DASH": "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011' mediaPresentationDuration='PT1S' "
    "profiles='urn:mpeg:dash:profile:isoff-live:2011'><Period><AdaptationSet mimeType='video/mp4'><Representation "
    "id='1' bandwidth='1'><BaseURL>{path}</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "redirection": "[Reference]\nRef1=http://127.0.0.1:{port}/x\n",
    "a script of frames": "{name}\n",
}


@needs_witness
@pytest.mark.parametrize("suffix", ["mp4", "m3u8", "ts", "ffconcat"])
@pytest.mark.parametrize("name", LISTS)
def test_lists_of_other_files(name, suffix, tmp_path, canary, server):
    path, witness = canary
    text = LISTS[name].format(path=path, name=path.name, port=server.getsockname()[1])
    file = tmp_path / f"innocent.{suffix}"
    file.write_text(text)
    refused(file)
    refused(text.encode())
    assert not witness.opened()
    assert not called(server)


@needs_witness
def test_ffmpeg_left_alone_would_have_opened_it(tmp_path, canary):
    path, witness = canary
    file = tmp_path / "innocent.mp4"
    file.write_text(LISTS["list of files"].format(name=path.name))
    with av.open(str(file)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 20
    assert witness.opened()
    assert "playlist" in refused(file)
    assert not witness.opened()


def test_whoever_gives_a_list_is_told_to_give_a_video():
    for name in ("playlist", "list of files", "stream description", "DASH"):
        with pytest.raises(UnreadableInput) as caught:
            read_clip(Video(LISTS[name].format(path="a.ts", name="a.ts", port=1).encode()), default_frames=8)
        assert caught.value.hint == "give one of the videos that it plays", name


@needs_witness
def test_a_track_in_another_file(tmp_path):
    other = tmp_path / "other.mov"
    other.write_bytes(made(Recipe(container="mov", options=GROUPS, length=20)))
    witness = Witness(other)
    file = tmp_path / "movie.mov"
    file.write_bytes(pointing_elsewhere(other.read_bytes(), str(other)))
    witness.opened()
    follow = {"enable_drefs": "1", "use_absolute_path": "1"}
    with av.open(str(file), options=follow) as container:  # what following it comes to
        assert sum(1 for _ in container.decode(video=0)) == 20
    assert witness.opened()
    assert "no frame of it can be decoded" in refused(file)
    assert not witness.opened()
    witness.close()


def test_python_opens_the_file_and_nothing_else(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(made(Recipe(options=GROUPS, length=20)))
    read_clip(Video(path), default_frames=2)  # everything is imported
    seen: list[tuple[str, object]] = []
    watching = [True]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if watching and (event == "open" or event.startswith(("socket.", "subprocess."))):
            seen.append((event, arguments[0]))

    sys.addaudithook(hook)
    read_clip(Video(path), default_frames=8)
    watching.clear()
    assert {name for _, name in seen} == {str(path)}


@pytest.mark.parametrize("name", ["clip.m3u8", "clip.txt", "clip%03d.png", "clip"])
def test_names_say_nothing(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(made(Recipe(options=GROUPS, length=20)))
    assert read_clip(Video(path), default_frames=4).frames == (0, 5, 10, 15)


@pytest.mark.parametrize("name", ["concat:a.mp4|b.mp4", "pipe:0", "-", "%d.mp4"])
def test_names_that_ffmpeg_would_read_otherwise(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(made(Recipe(options=GROUPS, length=20)))
    assert read_clip(Video(name), default_frames=4).frames == (0, 5, 10, 15)


@pytest.mark.parametrize("cover", [False, True])
def test_sound_alone(cover):
    assert "holds only sound" in refused(sound(cover=cover))
