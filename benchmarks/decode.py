"""Time per generated token after the first, greedy, against transformers' `generate` with the same checkpoint.

By default that is the host's own time: networks so small that arithmetic hardly counts, one thread, float32.
`--size 0.5b` or `7b` is what a user waits for: bfloat16, behind a prompt of `--context` tokens, on `--device`.

Promises: at most 0.25 of transformers' time at 2 layers and 0.45 at 24. 0.5b is to be at least 1.6 times as fast on
processors that compute in bfloat16, and 7b at least 5 times on an H200.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

import torch
from checkpoints import write
from contestants import DTYPES, Ours, Theirs, agreement
from report import Report, parser
from timing import rounds

from llavacli_core.checkpoint.host import computes_bfloat16

HOST = {"2-layers": 0.25, "24-layers": 0.45}  # sizes that measure the host, and their promises
AT_LEAST = 1.6  # times as fast at 0.5b in bfloat16, where the processor computes in it


def compare(size: str, arguments: argparse.Namespace, report: Report) -> None:
    """Report both times per token at a size."""
    tiny = size in HOST
    dtype = arguments.dtype or ("float32" if tiny else "bfloat16")
    tokens = arguments.tokens or (200 if tiny else 32)
    question = "a" * (arguments.context or (35 if tiny else 611))
    threads = torch.get_num_threads()
    if tiny:
        torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), size, getattr(torch, dtype))
        sides = [side(Path(folder), dtype, arguments.device) for side in (Ours, Theirs)]
        if sides[0].ids(question) != sides[1].ids(question):
            raise SystemExit("the two do not read the same prompt")
        contestants = dict(zip(("ours", "theirs"), sides, strict=True))
        answers = rounds(contestants, arguments.repeats, lambda side: side.answer(question, tokens))
    torch.set_num_threads(threads)
    equal = agreement(answers["ours"][0].ids, answers["theirs"][0].ids, dtype)
    what = f"a token, {size}, {dtype}, {len(question)} before it"
    what += ", one thread" if tiny else f"; {equal} of {tokens} ids equal"
    mine, reference = (median(answer.each for answer in answers[name]) for name in contestants)
    goal = AT_LEAST if (size, dtype) == ("0.5b", "bfloat16") and computes_bfloat16() else None
    report.figure(what, mine, reference, at_most=HOST.get(size), at_least=goal)


def main() -> int:
    """Measure the sizes asked for."""
    flags = parser(__doc__, repeats=5, sizes=tuple(HOST))
    flags.add_argument("--tokens", type=int, help="how many are generated")
    flags.add_argument("--context", type=int, help="how many stand before them")
    flags.add_argument("--dtype", choices=DTYPES)
    flags.add_argument("--device", default="cpu")
    arguments = flags.parse_args()
    report = Report()
    for size in arguments.size:
        compare(size, arguments, report)
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
