"""Pictures a second from files to captions: a folder of drawings through the demo checkpoint, float32, on this CPU.

`-b 1`, 4, 8, 16 and auto, as `llavacli caption` runs them, against transformers' processor and batched `generate` at
the best of 4, 8 and 16 (found beforehand, on the first pictures), padded as its processor pads. Models are loaded, and
the processes that open our pictures started, before the clock is; both have the large pages that the command asks for.

Promises: -b 8 at least twice as fast as -b 1; auto at least 0.9 times the best; and at least twice transformers.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from report import Report, in_large_pages, parser
from timing import alternate, timed
from transformers import LlavaNextForConditionalGeneration, LlavaNextProcessor

import llavacli_core as core
from demo.drawing import draw
from demo.scenes import canvas, scene
from llavacli.captioning.running import workers

QUESTION = "Describe this image in detail."
SEED = 5_000_000  # drawings that no training has seen
SIZES = (1, 4, 8, 16)
FIRST = 32  # pictures that captions are compared on, that warm up, and that transformers' best size is found with
MOST_TOKENS = 96
AT_LEAST, AUTO_AT_LEAST, AGAINST_TRANSFORMERS = 2.0, 0.9, 2.0

Captions = dict[int, str]


def drawings(folder: Path, count: int) -> list[Path]:
    """Files of drawings of many sizes."""
    paths = []
    for number in range(count):
        rng = np.random.default_rng(SEED + number)
        paths.append(folder / f"{number:04}.png")
        draw(scene(*canvas(rng), rng)).save(paths[-1])
    return paths


def ours(
    engine: core.Engine, paths: Sequence[Path], rows: int | Literal["auto"], pool: core.Workers | None
) -> Captions:
    """Captions by picture, as the caption command makes them."""
    sampling = core.Sampling(max_tokens=MOST_TOKENS)
    asked = (([core.Message("user", [core.Image(path), QUESTION])], sampling) for path in paths)
    return {
        index: event.text.strip() for index, event in engine.batch(asked, rows, pool) if isinstance(event, core.Done)
    }


class Theirs:
    """The same by transformers."""

    def __init__(self, folder: Path) -> None:
        self.processor: Any = LlavaNextProcessor.from_pretrained(folder)
        self.processor.tokenizer.padding_side = "left"
        self.model: Any = LlavaNextForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
        turn = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": QUESTION}]}
        self.prompt = self.processor.apply_chat_template([turn], add_generation_prompt=True)

    def captions(self, paths: Sequence[Path], rows: int) -> Captions:
        """Captions by picture, `rows` at a time."""
        made: list[str] = []
        for start in range(0, len(paths), rows):
            pictures = [Image.open(path).convert("RGB") for path in paths[start : start + rows]]
            inputs = self.processor(
                images=pictures, text=[self.prompt] * len(pictures), padding=True, return_tensors="pt"
            )
            ids = self.model.generate(**inputs, max_new_tokens=MOST_TOKENS, do_sample=False)
            made += self.processor.batch_decode(ids[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        return {index: text.strip() for index, text in enumerate(made)}


def main() -> int:
    """Measure, and print rates."""
    flags = parser(__doc__, repeats=3)
    flags.add_argument("--pictures", type=int, default=200, help="how many (default 200)")
    flags.add_argument("--threads", type=int, help="of torch (default: as many as it takes)")
    arguments = flags.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    report = Report()
    with tempfile.TemporaryDirectory() as folder, workers() as pool:
        compare(report, drawings(Path(folder), arguments.pictures), pool, arguments)
    return report.exit_code


def compare(report: Report, paths: Sequence[Path], pool: core.Workers | None, arguments: argparse.Namespace) -> None:
    """All the ways in turn."""
    engine = core.load("demo", device="cpu", dtype="float32")
    theirs = Theirs(engine.processor.located.folder)
    first = paths[:FIRST]
    captions = ours(engine, first, 1, pool)
    check(captions, lambda rows: ours(engine, first, rows, pool), (8, "auto"))
    check(captions, lambda rows: theirs.captions(first, rows), SIZES[1:2])
    best = min(SIZES[1:], key=lambda rows: timed(lambda: theirs.captions(first, rows)))
    ways: dict[str, Callable[[], object]] = {
        f"-b {rows}": lambda rows=rows: ours(engine, paths, rows, pool)  # type: ignore[misc]
        for rows in (*SIZES, "auto")
    }
    ways["theirs"] = lambda: theirs.captions(paths, best)
    seconds = alternate(ways, arguments.repeats, warm=True)
    rates = {name: len(paths) / taken for name, taken in seconds.items()}
    of_sizes = max(rates[f"-b {rows}"] for rows in SIZES)
    for rows in SIZES:
        bound = AT_LEAST if rows == 8 else None
        report.figure(
            f"captions, -b {rows}", rates[f"-b {rows}"], rates["-b 1"], unit="/s", at_least=bound, against="-b 1"
        )
    report.figure("captions, -b auto", rates["-b auto"], of_sizes, unit="/s", at_least=AUTO_AT_LEAST, against="best -b")
    report.figure(
        f"captions, -b auto (theirs: {best} at a time)",
        rates["-b auto"],
        rates["theirs"],
        unit="/s",
        at_least=AGAINST_TRANSFORMERS,
    )


def check(captions: Captions, caption: Callable[[Any], Captions], sizes: Sequence[Any]) -> None:
    """End here if other sizes, or others, say something else."""
    for rows in sizes:
        differing = {index for index, text in caption(rows).items() if text != captions[index]}
        if differing:
            raise SystemExit(f"with {rows} at a time, {len(differing)} of {len(captions)} captions differ: {differing}")


if __name__ == "__main__":
    in_large_pages()
    sys.exit(main())
