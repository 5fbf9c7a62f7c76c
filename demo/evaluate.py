"""How often the demo checkpoint is right: `python -m demo.evaluate [MODEL]`, through the product's own engine.

Two series of pictures: unseen scenes of the training drawer, where the whole answer must be the true one, and the
drawings of other_drawer.py, where the words that matter must be. Every answer is a first turn, decoded greedily.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import Counter
from collections.abc import Iterator

import numpy as np
import torch

import llavacli_core as core
from demo.conversations import NUMBERS, WEIGHTS, turn
from demo.drawing import draw
from demo.other_drawer import SHAPES, Drawing, Figure, drawing
from demo.palette import COLOURS
from demo.scenes import canvas, scene, third

UNSEEN = 2_000_000  # seeds from here on are used by no training and no snapshot
Mark = tuple[str, bool, str]  # kind of question, right or wrong, what to show of a wrong one

DESCRIBE = ("Describe this image in detail.", "Describe this image in detail.", "What do you see?",
            "What is in this picture?", "Please describe the image.")  # fmt: skip
COUNT = ("How many shapes are there?", "How many shapes are there?", "How many shapes are in the image?",
         "Count the shapes.", "how many shapes do you see")  # fmt: skip
COLOUR = ("What colour is the {}?", "What colour is the {}?", "What color is the {}?", "Which colour is the {}?",
          "{} colour?", "colour of the {}", "What is the color of the {} in this picture?")  # fmt: skip
EXISTS = ("Is there a {}?", "Is there a {}?", "Do you see a {}?", "Is there a {} in the image?", "any {}s?")
WHERE = ("Where is the {}?", "Where is the {}?", "Where is the {} located?", "where's the {}")


def ask(engine: core.Engine, picture: object, question: str) -> str:
    """The answer to a first question about a picture."""
    message = core.Message("user", [core.Image(picture), question])  # type: ignore[arg-type]
    *_, done = engine.generate([message], core.Sampling(max_tokens=96))
    assert isinstance(done, core.Done)
    return done.text.strip()


def own_marks(engine: core.Engine, scenes: int, *, twins: bool, first: int = UNSEEN) -> Iterator[Mark]:
    """Whole answers on unseen scenes of the training drawer; `twins`: with kinds or colours that occur twice."""
    seed, seen = first, 0
    while seen < scenes:
        seed += 1
        rng = np.random.default_rng(seed)
        drawn = scene(*canvas(rng), rng)
        names = [shape.kind for shape in drawn.shapes], [shape.colour for shape in drawn.shapes]
        if twins != any(len(set(each)) < len(each) for each in names):
            continue
        seen += 1
        picture = draw(drawn)
        for kind in ("describe", *WEIGHTS):
            _, question, truth = turn(drawn, kind, rng)
            said = ask(engine, picture, question)
            yield kind, said == truth, f"own {seed}: {question} {said} | {truth}"


def other_marks(engine: core.Engine, drawings: int, first: int = UNSEEN) -> Iterator[Mark]:
    """The words that matter, on drawings by another program."""
    for seed in range(first, first + drawings):
        drawn, dice = drawing(seed), random.Random(seed)

        def mark(kind: str, question: str, said: str, *, right: bool, seed: int = seed) -> Mark:
            return kind, right, f"other {seed}: {question} {said}"

        question = dice.choice(DESCRIBE)
        said = ask(engine, drawn.picture, question)
        for figure in drawn.figures:
            yield mark("describe", question, said, right=f"{figure.colour} {figure.shape}" in said)
        yield mark("describe: no others", question, said, right=_named(said, SHAPES) == _shapes(drawn))
        question = dice.choice(COUNT)
        said = ask(engine, drawn.picture, question)
        yield mark("count", question, said, right=_named(said, NUMBERS) == [NUMBERS[len(drawn.figures)]])
        for figure in drawn.figures:
            question = dice.choice(COLOUR).format(figure.shape)
            said = ask(engine, drawn.picture, question)
            yield mark("colour", question, said, right=_named(said, COLOURS) == [figure.colour])
            question = dice.choice(WHERE).format(figure.shape)
            said = ask(engine, drawn.picture, question)
            yield mark(
                "where", question, said, right=said.endswith(tuple(f"{place}." for place in _places(drawn, figure)))
            )
        for shape in SHAPES:
            question = dice.choice(EXISTS).format(shape)
            said = ask(engine, drawn.picture, question)
            there = any(figure.shape == shape for figure in drawn.figures)
            yield mark("exists", question, said, right=said.startswith("Yes" if there else "No"))


def _shapes(drawn: Drawing) -> list[str]:
    """The shapes that are there, in the order that descriptions name them."""
    return sorted((figure.shape for figure in drawn.figures), key=SHAPES.index)


def _named(said: str, words: tuple[str, ...]) -> list[str]:
    """Those of `words` that are said, in order."""
    return [word for word in re.findall(r"[a-z]+", said.lower()) if word in words]


def _places(drawn: Drawing, figure: Figure) -> set[str]:
    """The words for where a figure is; a centre within 3 % of a border between thirds may go either way."""
    width, height = drawn.picture.size
    places = set()
    for shift_x in (-0.03, 0, 0.03):
        for shift_y in (-0.03, 0, 0.03):
            column = third(figure.x + shift_x * width, width)
            row = third(figure.y + shift_y * height, height)
            across, down = ("left", "", "right")[column], ("top", "", "bottom")[row]
            beside = f"on the {across}" if across else "in the centre"
            places.add(f"at the {down} {across}".rstrip() if down else beside)
    return places


def report(title: str, marks: Iterator[Mark], *, show: int) -> None:
    """Print right answers by kind of question, and the first `show` wrong ones."""
    right, asked, wrong = Counter[str](), Counter[str](), []
    for kind, correct, line in marks:
        asked[kind] += 1
        right[kind] += correct
        if not correct:
            wrong.append(line)
    print(f"{title}: {100 * right.total() / asked.total():.2f} % of {asked.total()}")
    for kind, count in asked.items():
        print(f"  {kind:22} {right[kind]:5} / {count:<5} {100 * right[kind] / count:6.2f} %")
    for line in wrong[:show]:
        print(f"    {line}")


def main() -> None:
    """Read the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", nargs="?", default="demo", help="a checkpoint folder; default: the embedded one")
    parser.add_argument("--scenes", type=int, default=100, help="pictures in each series")
    parser.add_argument("--first", type=int, default=UNSEEN, help="the first seed")
    parser.add_argument("--show", type=int, default=0, help="wrong answers to print")
    given = parser.parse_args()
    torch.set_num_threads(1)  # the matrices are small: threads would wait for each other
    engine = core.load(given.model)
    scenes, first = given.scenes, given.first
    report("Another program's drawings", other_marks(engine, scenes, first), show=given.show)
    report("Unseen scenes, whole answer", own_marks(engine, scenes, twins=False, first=first), show=given.show)
    report("Unseen scenes with twins", own_marks(engine, scenes // 2, twins=True, first=first), show=given.show)


if __name__ == "__main__":
    main()
