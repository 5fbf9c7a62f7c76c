"""What counts as a picture: whatever can be opened as one, and nothing else, without decoding it."""

from __future__ import annotations

import os

import pytest
from PIL import Image

import llavacli_core as core
from tests.media.files import stored


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "ICO"])
def test_pictures(kind, tmp_path):
    data = stored(Image.new("RGB", (32, 32), "navy"), kind)
    path = tmp_path / "no-ending"
    path.write_bytes(data)
    assert core.is_picture(data)
    assert core.is_picture(path)
    assert core.is_picture(path.as_uri())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a",
        b"a text about pictures\n",
        b"%PDF-1.7\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
        b"\x00\x00\x01\xb3" + bytes([32, 2, 0]) + bytes(100),
        b"\x89HDF\r\n\x1a\n" + bytes(100),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        bytes(5000),
    ],
    ids=["empty", "head only", "text", "pdf", "eps", "mpeg", "hdf5", "svg", "zeros"],
)
def test_other_data(data):
    assert not core.is_picture(data)


def test_pixels_are_not_decoded():
    whole = stored(Image.effect_noise((500, 500), 80), "PNG")
    assert core.is_picture(whole[:5000])


def test_what_cannot_be_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert not any(
        core.is_picture(source)
        for source in (
            tmp_path,
            tmp_path / "pipe",
            tmp_path / "none",
            "https://example.org/cat.jpg",
            "a\0b",
            "ftp://a/b",
        )
    )
