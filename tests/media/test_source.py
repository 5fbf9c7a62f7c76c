"""Every way to name a picture is read; what is no regular, readable file is refused at once, by name."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from PIL import Image

from llavacli_core.errors import InputTooLarge, MissingInput, UnreadableInput, UrlError
from llavacli_core.media.picture import open_picture
from llavacli_core.media.source import read_source
from tests.media.files import noise, stored

DATA = stored(noise(20, 10))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a picture.png"
    path.write_bytes(DATA)
    return path


@pytest.mark.parametrize("form", [str, Path, Path.as_uri], ids=["str", "PathLike", "file URL"])
def test_files(file, form):
    source = read_source(form(file))
    assert source.name == str(form(file))
    assert source.data == DATA
    assert source.sha256 == hashlib.sha256(DATA).hexdigest()
    assert open_picture(source).size == (20, 10)


def test_bytes_have_no_name():
    source = read_source(DATA)
    assert (source.name, source.sha256, source.data) == ("-", hashlib.sha256(DATA).hexdigest(), DATA)


def test_pil_images_are_told_apart_by_size_and_pixels(file):
    picture = noise(20, 10)
    source = read_source(picture)
    assert source.name == "-"
    assert source.sha256 == read_source(picture.copy()).sha256
    assert source.sha256 == read_source(Image.open(file)).sha256
    assert read_source(Image.open(file)).name == str(file)
    others = (noise(10, 20), Image.frombytes("RGB", (10, 20), picture.tobytes()), picture.rotate(180))
    assert len({source.sha256, *(read_source(other).sha256 for other in others)}) == 4


def test_orientation_is_part_of_a_pil_images_content():
    digests = set()
    for orientation in (1, 3):
        exif = Image.Exif()
        exif[0x0112] = orientation
        picture = noise(20, 10)
        picture.info["exif"] = exif.tobytes()
        digests.add(read_source(picture).sha256)
    assert len(digests) == 2


def test_names_of_any_bytes(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\xff.png")
    Path(path).write_bytes(DATA)
    assert read_source(path).name == path
    with pytest.raises(MissingInput) as caught:
        read_source(path + "x")
    assert str(caught.value).isascii()


@pytest.mark.parametrize("name", ["nowhere.png", "", "~/nowhere.png", "nowhere/at/all.png"])
def test_missing_files(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingInput, match="no such file") as caught:
        read_source(name)
    assert caught.value.hint


def test_a_file_is_no_folder(file):
    with pytest.raises(MissingInput, match="no such file"):
        read_source(file / "inside.png")


def test_the_tilde_is_the_shells(tmp_path, monkeypatch):
    (tmp_path / "~").mkdir()
    (tmp_path / "~" / "a.png").write_bytes(DATA)
    monkeypatch.chdir(tmp_path)
    assert read_source("~/a.png").data == DATA


def test_what_is_not_a_readable_file(tmp_path, file):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    (tmp_path / "round").symlink_to("round")
    for name, words in {
        "": "is a folder",
        "pipe": "not a regular file",
        "empty": "empty",
        "round": "cannot be read",
    }.items():
        with pytest.raises(UnreadableInput, match=words) as caught:
            read_source(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert caught.value.hint
    for path in (os.devnull, "/dev/zero"):
        with pytest.raises(UnreadableInput, match="not a regular file"):
            read_source(path)
    with pytest.raises(UnreadableInput, match="cannot be read"):
        read_source("a\0b")
    with pytest.raises(UnreadableInput, match="cannot be read"):
        read_source("x" * 5000)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(file):
    file.chmod(0)
    with pytest.raises(UnreadableInput, match="permission denied"):
        read_source(file)


def test_too_many_bytes(file):
    assert read_source(file, max_bytes=len(DATA)).data == DATA
    for source in (file, DATA):
        with pytest.raises(InputTooLarge):
            read_source(source, max_bytes=len(DATA) - 1)


@pytest.mark.parametrize(
    "url", ["ftp://example.org/a.png", "data://x", "file://example.org/a.png", "file://[x/a.png", "file://\u2100/a.png"]
)
def test_other_urls_are_refused(url):
    with pytest.raises(UrlError) as caught:
        read_source(url)
    assert str(caught.value).startswith(url)


def test_other_types_are_refused():
    with pytest.raises(UnreadableInput, match="from a float"):
        read_source(3.5)
    with pytest.raises(UnreadableInput, match=r"^-: the file is empty"):
        read_source(b"")
