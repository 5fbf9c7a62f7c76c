"""The promise of `media/`: a picture goes from bytes to tiles at least 1.5 times as fast as transformers does it.

A 12-megapixel JPEG and a 640 x 480 one through AnyRes, ours and transformers' Pillow processor alternating in one
process and on one thread; medians. Run as `python -m benchmarks.prepare`.
"""

from __future__ import annotations

import io
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from llavacli_core.config import ImageConfig
from llavacli_core.media.picture import decode
from llavacli_core.media.tiles import prepare

GOAL = 1.5
CASES = ((4000, 3000, 9), (640, 480, 41))  # width, height, repeats

NEXT = ImageConfig(
    do_resize=True,
    shortest_edge=336,
    size=None,
    resample=3,
    do_center_crop=True,
    crop_size=(336, 336),
    do_rescale=True,
    rescale_factor=1 / 255,
    do_normalize=True,
    image_mean=(0.48145466, 0.4578275, 0.40821073),
    image_std=(0.26862954, 0.26130258, 0.27577711),
    pad_to_square=False,
    image_grid_pinpoints=((336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008)),
)


def photo(width: int, height: int) -> bytes:
    """A JPEG with a photograph's spread of detail: soft shapes, texture at two scales, grain."""
    random = np.random.default_rng(0)

    def layer(cell: int) -> np.ndarray[Any, Any]:
        noise = random.integers(0, 256, (height // cell + 1, width // cell + 1, 3), dtype=np.uint8)
        return np.asarray(Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)

    grain = random.normal(0, 4, (height, width, 1)).astype(np.float32)
    pixels = 0.7 * layer(max(width // 80, 1)) + 0.2 * layer(4) + grain
    buffer = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def ours(data: bytes) -> np.ndarray[Any, Any]:
    return prepare(decode(data), NEXT).pixels


def reference() -> Callable[[bytes], np.ndarray[Any, Any]]:
    """transformers' LLaVA-NeXT processor (Pillow backend), from bytes to an array."""
    from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil

    processor = LlavaNextImageProcessorPil(size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336})

    def run(data: bytes) -> np.ndarray[Any, Any]:
        return np.asarray(processor(Image.open(io.BytesIO(data)), return_tensors="np")["pixel_values"][0])

    return run


def milliseconds(run: Callable[[bytes], np.ndarray[Any, Any]], data: bytes) -> float:
    started = time.perf_counter()
    run(data)
    return (time.perf_counter() - started) * 1e3


def main() -> None:
    """Print a line per picture: both medians, their ratio, and how far the tiles differ at most."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    theirs = reference()
    print("from JPEG bytes to AnyRes tiles, one thread, medians")
    for width, height, repeats in CASES:
        data = photo(width, height)
        difference = np.abs(ours(data) - theirs(data)).max()
        pairs = [(milliseconds(ours, data), milliseconds(theirs, data)) for _ in range(repeats)]
        mine, other = (statistics.median(times) for times in zip(*pairs, strict=True))
        verdict = "ok" if other / mine >= GOAL and difference <= 1e-6 else "MISSED"
        print(
            f"{width:>5} x {height:<5} ours {mine:7.1f} ms   transformers {other:7.1f} ms   "
            f"{other / mine:4.2f} times as fast (goal {GOAL}), largest difference {difference:.1e}: {verdict}"
        )


if __name__ == "__main__":
    main()
