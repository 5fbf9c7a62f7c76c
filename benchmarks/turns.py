"""Time to the first token of a second turn of 32 tokens about the same picture, against transformers doing all again.

The context is one tile's 576 tokens, or five tiles' 2,340, and a first question that makes them 611 or 2,915, with the
first answer behind it. Promises at real sizes (`--size 0.5b-short`, `0.5b`) on a CPU: at least 6 times as fast, and 20.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from checkpoints import write
from contestants import DTYPES, Answer, Ours, Theirs
from prepare import photo
from report import Report, parser
from timing import rounds

TURN = "b" * 32  # of so many tokens
PROMISES = {611: 6, 2915: 20}


def second(ours: Ours, question: str, picture: bytes) -> tuple[Answer, str]:
    """The second turn's answer, and the whole conversation before it as one text."""
    session = ours.engine.session()
    ours.take(session, question, 1, picture)
    said = session.messages[-1].text
    return ours.take(session, TURN, 1), question + said + TURN


def compare(size: str, context: int, arguments: argparse.Namespace, report: Report) -> None:
    """Report both times for a context."""
    picture = photo(640, 480)
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), size, getattr(torch, arguments.dtype), tiled=context > 2000)
        ours, theirs = (side(Path(folder), arguments.dtype, arguments.device) for side in (Ours, Theirs))
        question = "a" * max(context - len(ours.ids("", picture)), 1)
        text = second(ours, question, picture)[1]
        runs: dict[str, Callable[[], Answer]] = {
            "ours": lambda: second(ours, question, picture)[0],
            "theirs": lambda: theirs.answer(text, 1, picture),
        }
        answers = rounds(runs, arguments.repeats, lambda run: run())
        tokens = len(theirs.ids(text, picture))
    if arguments.dtype == "float32" and answers["ours"][0].ids != answers["theirs"][0].ids:
        raise SystemExit("the two do not say the same")
    mine, reference = (median(answer.first for answer in answers[name]) for name in runs)
    what = f"second turn, {size}, {arguments.dtype}, {tokens - len(TURN)} + {len(TURN)} tokens"
    report.figure(what, mine, reference, at_least=None if size == "2-layers" else PROMISES[context])


def main() -> int:
    """Measure the sizes and contexts asked for."""
    flags = parser(__doc__, repeats=5, sizes=("2-layers",))
    flags.add_argument("--context", type=int, nargs="+", choices=tuple(PROMISES), default=list(PROMISES))
    flags.add_argument("--dtype", choices=DTYPES, default="float32")
    flags.add_argument("--device", default="cpu")
    arguments = flags.parse_args()
    report = Report()
    for size in arguments.size:
        for context in arguments.context:
            compare(size, context, arguments, report)
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
