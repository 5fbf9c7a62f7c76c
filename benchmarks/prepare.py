"""Time from the bytes of a JPEG to AnyRes tiles, at 12 megapixels and at 640 x 480, against transformers on Pillow.

Promise: at least 1.5 times as fast, and the same tiles to the last bit.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image
from report import Report, parser
from timing import alternate
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil

from llavacli_core.config import ImageConfig
from llavacli_core.media.picture import decode
from llavacli_core.media.tiles import prepare

GOAL = 1.5
CASES = ((4000, 3000, 1), (640, 480, 5))  # width, height, how often in a row

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
    """Our way from bytes to an array."""
    return prepare(decode(data), NEXT).pixels


def theirs(processor: LlavaNextImageProcessorPil, data: bytes) -> np.ndarray[Any, Any]:
    """transformers' way."""
    return np.asarray(processor(Image.open(io.BytesIO(data)), return_tensors="np")["pixel_values"][0])


def compare(report: Report, width: int, height: int, times: int, repeats: int) -> None:
    """Measure a picture of this size."""
    data = photo(width, height)
    processor = LlavaNextImageProcessorPil(size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336})
    if not np.array_equal(ours(data), theirs(processor, data)):
        raise SystemExit("the two do not make the same tiles")
    runs: dict[str, Callable[[], object]] = {
        "ours": lambda: [ours(data) for _ in range(times)],
        "theirs": lambda: [theirs(processor, data) for _ in range(times)],
    }
    seconds = {name: taken / times for name, taken in alternate(runs, repeats).items()}
    report.figure(
        f"{width} x {height} JPEG, bytes to AnyRes tensors", seconds["ours"], seconds["theirs"], at_least=GOAL
    )


def main() -> int:
    """Measure both sizes."""
    arguments = parser(__doc__, repeats=5).parse_args()
    report = Report()
    for width, height, times in CASES:
        compare(report, width, height, times, arguments.repeats)
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
