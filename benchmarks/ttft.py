"""Time to the first token of a prompt with a picture, from a JPEG's bytes, against transformers.

The picture takes five tiles, which are 2,340 tokens at the sizes of real towers (`--size 0.5b-short`, `0.5b`, `7b`).
Promise: at least 1.1 times as fast on a CPU. Answers are of some tokens, so that from the second round on
ours are what later prompts meet: weights in oneDNN's order, where the processor has bfloat16 (`nn/product.py`).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

import torch
from checkpoints import write_apart
from contestants import DTYPES, Ours, Theirs, agreement
from prepare import photo
from report import Report, in_large_pages, parser
from timing import rounds

QUESTION = "What is to be seen in this picture?"
TOKENS = 10


def compare(size: str, arguments: argparse.Namespace, report: Report) -> None:
    """Report both times at a size."""
    picture = photo(640, 480)
    with tempfile.TemporaryDirectory() as folder:
        write_apart(Path(folder), size, getattr(torch, arguments.dtype))
        sides = [side(Path(folder), arguments.dtype, arguments.device) for side in (Ours, Theirs)]
        ids = sides[0].ids(QUESTION, picture)
        if ids != sides[1].ids(QUESTION, picture):
            raise SystemExit("the two do not read the same prompt")
        contestants = dict(zip(("ours", "theirs"), sides, strict=True))
        answers = rounds(contestants, arguments.repeats, lambda side: side.answer(QUESTION, TOKENS, picture))
    agreement(answers["ours"][0].ids, answers["theirs"][0].ids, arguments.dtype)
    mine, reference = (median(answer.first for answer in answers[name]) for name in contestants)
    what = f"first token behind 5 tiles, {size}, {arguments.dtype}, {len(ids)} tokens"
    report.figure(what, mine, reference, at_least=1.1)


def main() -> int:
    """Measure the sizes asked for."""
    flags = parser(__doc__, repeats=5, sizes=("2-layers",))
    flags.add_argument("--dtype", choices=DTYPES, default="float32")
    flags.add_argument("--device", default="cpu")
    arguments = flags.parse_args()
    report = Report()
    for size in arguments.size:
        compare(size, arguments, report)
    return report.exit_code


if __name__ == "__main__":
    in_large_pages()
    sys.exit(main())
