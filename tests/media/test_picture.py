"""Pictures come out upright, the first frame of several; what is no picture is refused in one line."""

from __future__ import annotations

import io
import threading
import warnings
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image, ImageOps

from llavacli_core.errors import InputTooLarge, UnreadableInput
from llavacli_core.media.picture import MAX_PIXELS, decode
from tests.media.files import layered, noise, png, stored

KINDS = ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "JPEG2000")


def turned(orientation: int, kind: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return stored(noise(30, 20), kind, exif=exif)


@pytest.mark.parity
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientations(orientation, kind):
    data = turned(orientation, kind)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    picture = decode(data)
    assert picture.size == ((30, 20) if orientation < 5 else (20, 30))
    assert np.array_equal(np.asarray(picture), np.asarray(expected))


def test_an_upright_picture_is_not_turned_again():
    picture = decode(turned(6))
    assert np.array_equal(np.asarray(decode(picture)), np.asarray(picture))


def test_a_damaged_orientation_does_not_cost_the_picture():
    data = stored(noise(30, 20), "JPEG", exif=b"Exif\0\0MM\0\x2a\xff\xff\xff\xff")
    assert decode(data).size == (30, 20)


@pytest.mark.parametrize("make", [lambda: layered("RGBA"), lambda: Image.open(io.BytesIO(turned(6)))])
def test_a_pil_image_is_left_as_it_was(make):
    image = make()
    image.load()
    before, info = image.tobytes(), dict(image.info)
    decode(image)
    assert (image.tobytes(), image.info) == (before, info)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_several_frames_the_first_counts(kind):
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = stored(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert decode(data).getpixel((5, 5)) == (255, 0, 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.7])
def test_truncated_files_are_refused_by_name(kind, share):
    data = stored(noise(60, 40), kind)
    with pytest.raises(UnreadableInput, match=r"^odd name\.bin: [^\n]+$") as caught:
        decode(data[: int(len(data) * share)], "odd name.bin")
    assert caught.value.hint


def test_damaged_files_never_fail_in_another_way():
    random = np.random.default_rng(5)
    for kind in KINDS:
        data = np.frombuffer(stored(noise(40, 30), kind), np.uint8)
        for _ in range(40):
            broken = data.copy()
            broken[random.integers(0, len(data), 6)] = random.integers(0, 256, 6)
            with suppress(UnreadableInput, InputTooLarge):
                assert decode(broken.tobytes()).mode == "RGB"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7\n", "a PDF document"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
        (b"\n<!DOCTYPE HTML><title>Not found</title>", "an HTML page"),
        (b"\0\0\0\x18ftypisom" + bytes(40), "an MP4 or QuickTime video"),
        (b"\0\0\0\x18ftypheic" + bytes(40), "a HEIC or AVIF picture"),
        (b"\x1a\x45\xdf\xa3" + bytes(40), "a Matroska or WebM video"),
        (b"\0\0\x01\xb3\x16\0\xf0\xc4" + bytes(40), "an MPEG video"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer, not the file itself"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n", "a PostScript drawing"),
    ],
)
def test_other_files_are_told_by_content(data, kind):
    with pytest.raises(UnreadableInput, match=rf"^-: [^\n]*{kind}$"):
        decode(data)


@pytest.mark.parametrize("data", [b"", b"hello", b"\0" * 100, b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"])
def test_what_is_nothing_known(data):
    with pytest.raises(UnreadableInput, match=r"^-: "):
        decode(data)


@pytest.mark.parametrize(
    ("data", "name", "message", "hint"),
    [
        (
            b"#EXTM3U\n#EXTINF:10,\na.ts\n",
            "a.mp4",
            "neither a picture nor a video; it seems to be a playlist",
            "videos",
        ),
        (
            b"v=0\r\no=- 0 0",
            "a.mp4",
            "neither a picture nor a video; it seems to be a stream's",
            "videos that it plays",
        ),
        (b"<?xml version='1.0'?><MPD xmlns=''/>", "a.mpd", "seems to be a playlist", "videos that it plays"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "aud.wav", "it seems to be a sound file", "a picture or a video"),
        (b"OggS" + bytes(24) + b"\x01vorbis", "a.ogg", "it seems to be a sound file", "a picture or a video"),
        (b"\0\0\0\x18ftypM4A " + bytes(12), "a.m4a", "it seems to be a sound file", "a picture or a video"),
        (b"<html>", "https://example.org/a.png", "an HTML page", "name the picture itself"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a.png", "a Git LFS pointer", "git lfs pull"),
        (b"PK\x03\x04", "a.png", "a ZIP archive", "unpack it"),
        (b"%PDF-1.7\n", "a.png", "a PDF document", "convert it"),
        (b"", "empty.mp4", "the file is empty", "give a video, such as an MP4 file"),
        (b"", "https://example.org/empty.MOV?x=1", "the file is empty", "give a video"),
        (b"", "empty.png", "the file is empty", "give a picture, such as a JPEG or PNG file"),
        (b"nothing", "a.webm", "not a video, or one whose beginning", "give a video, such as an MP4 file"),
        (b"nothing", "a.png", "not a picture, or one whose beginning", "give a picture"),
        (b"\0\0\0\x18ftypisom" + bytes(40), "https://example.org/v/7", "an MP4 or QuickTime video", "ends in .mp4"),
        (b"\0\0\0\x18ftypisom" + bytes(40), "clip", "an MP4 or QuickTime video", "give it as a video"),
    ],
)
def test_the_hint_suits_the_file(data, name, message, hint):
    with pytest.raises(UnreadableInput) as caught:
        decode(data, name)
    assert str(caught.value).startswith(f"{name}: ")
    assert message in str(caught.value)
    assert hint in str(caught.value.hint)


def test_names_stay_on_one_line():
    with pytest.raises(UnreadableInput) as caught:
        decode(b"", "a\nb\x1b[31m\udcff.png")
    assert str(caught.value).startswith(r"a\nb\x1b[31m\udcff.png: ")


def announced(width: int, height: int) -> bytes:
    """A PNG that announces a size and has no pixels."""
    return png(width, height, 1, 0, np.zeros((0, 0), np.uint8))


def test_too_many_pixels():
    with pytest.raises(InputTooLarge, match="bomb"):
        decode(announced(14000, 14000), "bomb")
    with pytest.raises(InputTooLarge, match="an edge of more than 100000"):
        decode(announced(100_001, 1))
    with pytest.raises(InputTooLarge, match="178 megapixels"):
        decode(Image.new("1", (MAX_PIXELS // 2000 + 1, 2000)))
    with pytest.raises(UnreadableInput, match="0 x 5"):
        decode(Image.new("1", (0, 5)))


def test_no_warning_of_pillow_is_shown_in_any_thread():
    data = announced(9500, 10000)
    with pytest.warns(Image.DecompressionBombWarning):
        Image.open(io.BytesIO(data))

    def attempt() -> None:
        with suppress(UnreadableInput):
            decode(data)

    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        threads = [threading.Thread(target=attempt) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        warnings.warn("still heard", UserWarning, stacklevel=1)
    assert [str(warning.message) for warning in shown] == ["still heard"]
