"""Any colour mode of Pillow -> RGB, with transparency laid on white and deep greys scaled by their range."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WHITE = (255, 255, 255, 255)
DEEP = 65535


def to_rgb(image: Image.Image) -> Image.Image:
    """The picture in RGB; itself if it is RGB already.

    Pixels are those of transformers' `image_transforms.convert_to_rgb`: an alpha channel or a transparent colour is
    laid on white, everything else is Pillow's own conversion. Two kinds of mode differ, as there the reference cuts
    values off at 255 or fails: greys deeper than 8 bits, which are scaled first (see `shallow`), and La.
    """
    if image.mode == "La":
        image = image.convert("LA")
    elif image.mode.startswith("I") or image.mode == "F":
        image = shallow(image)
    if "A" in image.getbands() or image.info.get("transparency") is not None:
        return _on_white(image.convert("RGBA"))
    return image if image.mode == "RGB" else image.convert("RGB")


def shallow(image: Image.Image) -> Image.Image:
    """Greys of 16 or 32 bits, or floats -> 8 bits (LA where one grey is declared transparent).

    16 bits (I;16 and its byte orders) always span 0..65535, however dark the picture. 32-bit integers (I) and floats
    (F) carry no range with them: taken is the first that holds every value of 0..1 (F alone), 0..255 (then Pillow
    converts, as the reference does), 0..65535, and else from the least to the greatest value. NaN is black.
    """
    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        return _with_transparency(values, image.info.get("transparency"))
    finite = values[np.isfinite(values)] if image.mode == "F" else values
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if low < 0 or high > DEEP:
        return _stretched(values, low, high)
    if image.mode == "F" and high <= 1:
        return _stretched(values, 0, 1)
    if high <= 255 and finite.size == values.size:
        return image.convert("L")
    return _stretched(values, 0, 255 if high <= 255 else DEEP)


def _with_transparency(values: NDArray[np.uint16], transparent: int | None) -> Image.Image:
    """16-bit greys as 8 bits; where `transparent` names one of them, with an alpha channel."""
    grey = Image.fromarray(((values.astype(np.uint32) + 128) // 257).astype(np.uint8))
    if transparent is None:
        return grey
    alpha = Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8))
    return Image.merge("LA", (grey, alpha))


def _stretched(values: NDArray[np.int32] | NDArray[np.float32], low: float, high: float) -> Image.Image:
    """Values from `low` to `high` as 8-bit greys; infinities at the ends, NaN black."""
    span = max(high - low, np.finfo(np.float64).tiny)
    shades = np.nan_to_num((values.clip(low, high).astype(np.float64) - low) / span * 255, nan=0.0)
    return Image.fromarray(np.rint(shades).astype(np.uint8))


def _on_white(image: Image.Image) -> Image.Image:
    """RGBA laid on white; one without a transparent pixel (most screenshots) only drops its alpha."""
    if image.getchannel("A").getextrema()[0] == 255:
        return image.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image).convert("RGB")
