"""Clips are told from pictures by how they begin, whatever their names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llavacli_core.media.signature import HEAD, is_animation, is_clip, seems
from tests.media.clip_files import Recipe, made, sound
from tests.media.files import noise, stored

CONTAINERS = {
    "mp4": "libx264",
    "mov": "libx264",
    "matroska": "libx264",
    "webm": "libvpx",
    "avi": "mpeg4",
    "flv": "flv",
    "mpegts": "mpeg2video",
    "mpeg": "mpeg1video",
    "vob": "mpeg2video",
    "mpeg2video": "mpeg2video",
    "asf": "wmv2",
    "ivf": "libvpx",
    "ogg": "libvpx",
    "3gp": "mpeg4",
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_containers(container):
    head = made(Recipe(CONTAINERS[container], container, length=2, options={"g": "2"}))[:HEAD]
    assert is_clip(head)
    assert str(seems(head)).endswith("video")
    assert not is_animation(head)


def test_quicktime_without_a_type():
    assert is_clip(b"\x00\x00\x00\x08wide\x00\x00\x10\x00mdat")


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "AVIF", "JPEG", "TIFF", "BMP"])
def test_pictures_are_no_clips(kind):
    head = stored(noise(20, 10), kind)[:HEAD]
    assert not is_clip(head)
    assert is_animation(head) == (kind in ("PNG", "GIF", "WEBP", "AVIF"))


@pytest.mark.parametrize("brand", [b"heic", b"mif1", b"avif", b"avis"])
def test_stills_in_the_container_of_clips(brand):
    head = b"\x00\x00\x00\x18ftyp" + brand + bytes(12)
    assert not is_clip(head)
    assert seems(head) == "a HEIC or AVIF picture"


def test_sound():
    assert not is_clip(b"\x00\x00\x00\x18ftypM4A " + bytes(12))
    assert not is_clip(b"OggS" + bytes(24) + b"\x01vorbis")
    assert is_clip(sound())  # an MP4 file does not say at its beginning that it holds nothing to see


@given(st.binary(max_size=600))
def test_any_bytes_at_all(data):
    assert is_clip(data) in (True, False)
    assert seems(data) is None or isinstance(seems(data), str)
