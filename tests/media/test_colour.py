"""Every colour mode becomes the reference's RGB; greys deeper than 8 bits keep their range."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from transformers.image_transforms import convert_to_rgb

from llavacli_core.media.colour import to_rgb
from llavacli_core.media.picture import decode
from tests.media.files import layered, noise, png, stored

RAMP = np.linspace(0, 255, 48).round().astype(np.uint8).reshape(4, 12)


FILES = {
    "1": lambda: stored(noise(24, 16).convert("1")),
    "1 with a transparent level": lambda: stored(noise(24, 16).convert("1"), transparency=1),
    "L": lambda: stored(noise(24, 16).convert("L")),
    "L with a transparent grey": lambda: stored(Image.fromarray(RAMP), transparency=int(RAMP[2, 3])),
    "LA": lambda: stored(layered("LA")),
    "P": lambda: stored(noise(24, 16).quantize(32)),
    "P with one transparent colour": lambda: stored(noise(24, 16).quantize(32), transparency=5),
    "P with alpha": lambda: stored(noise(24, 16).quantize(32), transparency=bytes(range(0, 256, 8))),
    "GIF with a transparent colour": lambda: stored(noise(24, 16).quantize(32), "GIF", transparency=3),
    "RGB": lambda: stored(noise(24, 16)),
    "RGB with a transparent colour": lambda: stored(noise(24, 16), transparency=noise(24, 16).getpixel((2, 3))),
    "RGB of 16 bits": lambda: png(12, 4, 16, 2, np.arange(0, 65520, 455).astype(">u2").reshape(4, 36)),
    "RGBA": lambda: stored(layered("RGBA")),
    "RGBA without a transparent pixel": lambda: stored(noise(24, 16).convert("RGBA")),
    "CMYK": lambda: stored(noise(24, 16).convert("CMYK"), "TIFF"),
    "CMYK JPEG (Adobe, inverted)": lambda: stored(noise(24, 16).convert("CMYK"), "JPEG"),
    "YCbCr": lambda: stored(noise(24, 16).convert("YCbCr"), "TIFF"),
    "LAB": lambda: stored(noise(24, 16).convert("LAB"), "TIFF"),
    "L JPEG": lambda: stored(noise(24, 16).convert("L"), "JPEG"),
    "RGBA WebP": lambda: stored(layered("RGBA"), "WEBP", lossless=True),
}


@pytest.mark.parity
@pytest.mark.parametrize("name", FILES)
def test_files_become_the_references_rgb(name):
    data = FILES[name]()
    ours, theirs = decode(data), convert_to_rgb(Image.open(io.BytesIO(data)), return_numpy=True)
    assert ours.mode == "RGB"
    assert np.array_equal(np.asarray(ours), theirs)


@pytest.mark.parity
@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "RGB", "RGBX", "RGBA", "RGBa", "LA", "PA", "CMYK", "YCbCr", "HSV", "LAB"]
)
def test_modes_in_memory_become_the_references_rgb(mode):
    source = layered("RGBA") if mode in ("RGBa", "LA") else noise(24, 16)
    picture = source.convert("P").convert("PA") if mode == "PA" else source.convert(mode)
    assert np.array_equal(np.asarray(to_rgb(picture)), convert_to_rgb(picture, return_numpy=True))


def test_premultiplied_grey_is_laid_on_white():
    picture = layered("LA")
    assert np.array_equal(
        np.asarray(to_rgb(picture.convert("La"))), np.asarray(to_rgb(picture.convert("La").convert("LA")))
    )


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I;16L", "I;16N"])
@pytest.mark.parametrize("most", [65535, 4095])
def test_sixteen_bits_span_their_full_range_however_dark(mode, most):
    values = np.linspace(0, most, 48).round().astype(np.uint16).reshape(4, 12)
    order = ">u2" if mode == "I;16B" else "<u2"
    picture = Image.frombytes(mode, (12, 4), values.astype(order).tobytes())
    expected = np.rint(values / 257).astype(np.uint8)
    assert np.array_equal(np.asarray(to_rgb(picture)), np.stack([expected] * 3, axis=-1))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bit_files(kind):
    data = stored(Image.fromarray(RAMP.astype(np.uint16) * 257), kind)
    assert np.array_equal(np.asarray(decode(data))[..., 1], RAMP)


def test_a_transparent_grey_of_sixteen_bits_is_white_and_its_neighbours_are_not():
    data = png(3, 1, 16, 0, np.array([[1000, 1001, 1002]], ">u2"), transparent=1001)
    assert np.asarray(decode(data))[0, :, 0].tolist() == [4, 255, 4]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 128, 255], [0, 128, 255]),
        ([0, 257, 65535], [0, 1, 255]),
        ([0, 1 << 20, 1 << 21], [0, 128, 255]),
        ([-200, -100, 0], [0, 128, 255]),
        ([-7, -7, -7], [0, 0, 0]),
    ],
)
@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_deeper_greys_take_the_first_range_that_holds_them(values, expected, kind):
    picture = Image.fromarray(np.array([values], kind))
    assert np.asarray(to_rgb(picture))[0, :, 0].tolist() == expected


def test_floats_up_to_one_are_shares_of_white_and_what_is_no_number_is_black():
    picture = Image.fromarray(np.array([[0, 0.2, 1, np.nan, np.inf, -np.inf]], np.float32))
    assert np.asarray(to_rgb(picture))[0, :, 0].tolist() == [0, 51, 255, 0, 255, 0]


@pytest.mark.parity
@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_deep_modes_that_hold_eight_bits_become_the_references_rgb(kind):
    picture = Image.fromarray(RAMP.astype(kind))
    assert np.array_equal(np.asarray(to_rgb(picture)), convert_to_rgb(picture, return_numpy=True))
