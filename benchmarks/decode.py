"""Time per generated token after the first, greedy, against transformers' `generate` with the same checkpoint.

`--size tiny` (default) is the host's own time: networks so small that arithmetic hardly counts, one thread, float32.
`--size 0.5b` and `7b` are what a user waits for: bfloat16, behind a prompt of `--context` tokens, on `--device`.

Promises: at most 0.25 of transformers' time at 2 layers and 0.45 at 24; 0.5b on a CPU that computes in bfloat16 at
least 1.6 times as fast, 7b on an H200 at least 5 times.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import torch
from checkpoints import write
from contestants import Ours, Theirs, agreement, in_turn


def compare(size: str, arguments: argparse.Namespace) -> None:
    """Print both times per token at a size, and their ratio."""
    question = "a" * arguments.context
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), size, getattr(torch, arguments.dtype))
        ours, theirs = (side(Path(folder), arguments.dtype, arguments.device) for side in (Ours, Theirs))
        if ours.ids(question) != theirs.ids(question):
            raise SystemExit("the two do not read the same prompt")
        for side in (ours, theirs):
            side.answer("a", 8)
        runs = in_turn(
            {
                side.__class__.__name__: lambda side=side: side.answer(question, arguments.tokens)
                for side in (ours, theirs)
            },
            arguments.repeats,
        )
        mine, reference = (statistics.median(answer.each for answer in answers) * 1e3 for answers in runs.values())
        equal = agreement(runs["Ours"][0].ids, runs["Theirs"][0].ids, arguments.dtype)
    print(
        f"{size:>10} {arguments.dtype}, {len(question)} tokens of context: llavacli {mine:.3f} ms a token, "
        f"transformers {reference:.3f} ms, ratio {mine / reference:.3f}, {reference / mine:.2f} times as fast; "
        f"{equal} of {arguments.tokens} ids equal",
        flush=True,
    )


def main() -> None:
    """Measure the size asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=("tiny", "0.5b", "7b"), default="tiny")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--tokens", type=int)
    parser.add_argument("--context", type=int)
    parser.add_argument("--dtype", choices=("bfloat16", "float32"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    tiny = arguments.size == "tiny"
    arguments.dtype = arguments.dtype or ("float32" if tiny else "bfloat16")
    arguments.tokens = arguments.tokens or (200 if tiny else 48)
    arguments.context = arguments.context or (35 if tiny else 611)
    if arguments.threads or tiny:
        torch.set_num_threads(arguments.threads or 1)
    for size in ("2-layers", "24-layers") if tiny else (arguments.size,):
        compare(size, arguments)


if __name__ == "__main__":
    main()
