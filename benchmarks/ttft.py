"""Time to the first token of a prompt with a picture, from a JPEG's bytes, against transformers.

The picture takes five tiles, 2,340 tokens at the sizes of real towers. Promise: at least 1.1 times as fast on a CPU.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import torch
from checkpoints import write
from contestants import Ours, Theirs, agreement, in_turn
from prepare import photo

QUESTION = "What is to be seen in this picture?"


def main() -> None:
    """Measure one size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=("2-layers", "24-layers", "0.5b", "7b"), default="2-layers")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), default="float32")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    picture = photo(640, 480)
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), arguments.size, getattr(torch, arguments.dtype))
        ours, theirs = (side(Path(folder), arguments.dtype, arguments.device) for side in (Ours, Theirs))
        ids = ours.ids(QUESTION, picture)
        if ids != theirs.ids(QUESTION, picture):
            raise SystemExit("the two do not read the same prompt")
        for side in (ours, theirs):
            side.answer("a", 2)
        runs = in_turn(
            {side.__class__.__name__: lambda side=side: side.answer(QUESTION, 1, picture) for side in (ours, theirs)},
            arguments.repeats,
        )
        agreement(runs["Ours"][0].ids, runs["Theirs"][0].ids, arguments.dtype)
    mine, reference = (statistics.median(answer.first for answer in answers) for answers in runs.values())
    print(
        f"{arguments.size} {arguments.dtype}, five tiles, {len(ids)} tokens: llavacli {mine:.3f} s, "
        f"transformers {reference:.3f} s, {reference / mine:.2f} times as fast (promise: 1.1)"
    )


if __name__ == "__main__":
    main()
