"""Time to the first token of a second turn of 32 tokens about the same picture, against transformers doing all again.

One tile gives 611 tokens of context, five tiles with a long first question 2,915. Promise on a CPU: at least 6 times
as fast, and 20 times.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import torch
from checkpoints import write
from contestants import Answer, Ours, Theirs, in_turn
from prepare import photo

TURN = 32  # tokens of the second question
PROMISES = {611: 6, 2915: 20}


def second(ours: Ours, question: str, follow_up: str, picture: bytes) -> tuple[Answer, str]:
    """The second turn's answer, and the whole conversation before it as one text."""
    session = ours.engine.session()
    said = ours.take(session, question, 1, picture).ids
    answered = session.messages[-1].text if said else ""
    return ours.take(session, follow_up, 1), question + answered + follow_up


def compare(context: int, arguments: argparse.Namespace) -> None:
    """Print both times for a context, and how many times as fast ours is."""
    picture, follow_up = photo(640, 480), "b" * TURN
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), arguments.size, getattr(torch, arguments.dtype), tiled=context > 2000)
        ours, theirs = (side(Path(folder), arguments.dtype, arguments.device) for side in (Ours, Theirs))
        question = "a" * max(context - len(ours.ids("", picture)), 1)
        for side in (ours, theirs):
            side.answer("a", 2)
        _, text = second(ours, question, follow_up, picture)
        runs = in_turn(
            {
                "ours": lambda: second(ours, question, follow_up, picture)[0],
                "theirs": lambda: theirs.answer(text, 1, picture),
            },
            arguments.repeats,
        )
        if runs["ours"][0].ids != runs["theirs"][0].ids and arguments.dtype == "float32":
            raise SystemExit("the two do not say the same")
        tokens = len(theirs.ids(text, picture))
    mine, reference = (statistics.median(answer.first for answer in answers) for answers in runs.values())
    print(
        f"{arguments.size} {arguments.dtype}, {tokens - TURN} tokens of context, {TURN} new: "
        f"llavacli {mine * 1e3:.1f} ms, transformers {reference * 1e3:.1f} ms, "
        f"{reference / mine:.1f} times as fast (promise: {PROMISES[context]})",
        flush=True,
    )


def main() -> None:
    """Measure the contexts asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=("2-layers", "24-layers", "0.5b", "7b"), default="2-layers")
    parser.add_argument("--context", type=int, nargs="*", choices=tuple(PROMISES), default=list(PROMISES))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), default="float32")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    for context in arguments.context:
        compare(context, arguments)


if __name__ == "__main__":
    main()
