"""Pictures of several frames, told from those of one by what they hold."""

from __future__ import annotations

import pytest
from PIL import Image

from llavacli_core.media.recognition import is_animated
from tests.media.files import stored

FRAMES = [Image.new("RGB", (20, 10), colour) for colour in ("red", "lime", "blue")]


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_several_frames_and_one(kind, tmp_path):
    moving = stored(FRAMES[0], kind, save_all=True, append_images=FRAMES[1:])
    assert is_animated(moving)
    assert not is_animated(stored(FRAMES[0], kind))
    path = tmp_path / "any.jpg"
    path.write_bytes(moving)
    assert is_animated(path)
    assert is_animated(path.as_uri())
    assert not is_animated(moving[:20])


@pytest.mark.parametrize("kind", ["TIFF", "MPO"])
def test_pages_are_no_frames(kind):
    assert not is_animated(stored(FRAMES[0], kind, save_all=True, append_images=FRAMES[1:]))


@pytest.mark.parametrize("source", [b"", b"no picture", "nope.gif", "https://example.org/a.gif", "ftp://a/b.gif", "."])
def test_what_cannot_be_read_here_is_none(source):
    assert not is_animated(source)
