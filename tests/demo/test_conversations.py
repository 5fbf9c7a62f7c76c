"""Questions and answers: one grammar of answers, true of their scene, in wordings that fill every slot."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from demo.conversations import WEIGHTS, answer, conversation, turn
from demo.palette import COLOURS, Background
from demo.scenes import KINDS, Finish, Scene, Shape, canvas, scene

PLACE = r"(at the (top|bottom)( left| right)?|on the (left|right)|in the centre)"
NAME = rf"({'|'.join(COLOURS)}) ({'|'.join(KINDS)})"
NUMBER = r"(no|one|two|three|four)"
GRAMMAR = {
    "describe": rf"There (is one shape|are {NUMBER} shapes) on a (white|grey|black|gradient) background"
    rf"(: a (small|large) {NAME} {PLACE}((, | and )a (small|large) {NAME} {PLACE})*)?\.",
    "count": rf"There (is one shape|are {NUMBER} shapes)\.",
    "tally": rf"There (is one \w+|are {NUMBER} \w+s)\.",
    "colour": rf"There is no \w+\.|The \w+ (is|are) (({'|'.join(COLOURS)})(, | and |\.))+",
    "exists": rf"(No, there is no [a-z ]+|Yes, there (is an? {NAME}|are {NUMBER} [a-z ]+s))\.",
    "where": rf"There is no \w+\.|The \w+ (is|are) ({PLACE}(, | and |\.))+",
    "which": rf"There is no \w+ shape\.|The \w+ shapes? (is|are) (a ({'|'.join(KINDS)})(, | and |\.))+",
    "verify": r"There is no \w+\.|(Yes|No), the \w+ (is|are) [a-z, ]+\.",
    "size": r"There is no \w+\.|The \w+ (is|are) (small|large|small and large|large and small)\.",
    "background": r"The background is (white|grey|black|a gradient)\.",
}
PLAIN = Finish(supersample=2, blur=0, noise=0, jpeg=None, chroma=0, clutter=None, seed=0)


def shape(kind: str, colour: str, x: float, y: float, size: str = "small") -> Shape:
    return Shape(kind, colour, size, x, y, (0, 0, 0), np.zeros((0, 2)))


SCENE = Scene(
    90, 90, Background("white", (255,) * 3, (255,) * 3),
    (shape("circle", "red", 10, 10), shape("square", "orange", 45, 45, "large"), shape("star", "blue", 80, 45)), PLAIN,
)  # fmt: skip
TWINS = replace(SCENE, shapes=(shape("star", "red", 10, 10), shape("star", "blue", 80, 45, "large")))
EMPTY = replace(SCENE, shapes=())


@pytest.mark.parametrize(
    ("drawn", "kind", "name", "colour", "expected"),
    [
        (SCENE, "describe", "", "", "There are three shapes on a white background: a small red circle at the top left, "
         "a large orange square in the centre and a small blue star on the right."),
        (EMPTY, "describe", "", "", "There are no shapes on a white background."),
        (SCENE, "count", "", "", "There are three shapes."),
        (EMPTY, "count", "", "", "There are no shapes."),
        (SCENE, "colour", "star", "", "The star is blue."),
        (TWINS, "colour", "star", "", "The stars are red and blue."),
        (SCENE, "colour", "triangle", "", "There is no triangle."),
        (SCENE, "exists", "square", "", "Yes, there is an orange square."),
        (SCENE, "exists", "triangle", "", "No, there is no triangle."),
        (SCENE, "exists", "circle", "blue", "No, there is no blue circle."),
        (SCENE, "exists", "", "blue", "Yes, there is a blue star."),
        (TWINS, "exists", "star", "", "Yes, there are two stars."),
        (SCENE, "where", "square", "", "The square is in the centre."),
        (TWINS, "where", "star", "", "The stars are at the top left and on the right."),
        (SCENE, "which", "", "orange", "The orange shape is a square."),
        (SCENE, "verify", "circle", "red", "Yes, the circle is red."),
        (SCENE, "verify", "circle", "blue", "No, the circle is red."),
        (SCENE, "size", "square", "", "The square is large."),
        (TWINS, "tally", "star", "", "There are two stars."),
        (SCENE, "background", "", "", "The background is white."),
    ],
)  # fmt: skip
def test_answers(drawn: Scene, kind: str, name: str, colour: str, expected: str) -> None:
    assert answer(drawn, kind, name, colour) == expected


@pytest.mark.parametrize("kind", sorted(GRAMMAR))
def test_answers_follow_one_grammar_and_questions_have_no_empty_slots(kind: str) -> None:
    rng = np.random.default_rng(1)
    for _ in range(150):
        drawn = scene(*canvas(rng), rng)
        _, question, said = turn(drawn, kind, rng)
        assert re.fullmatch(GRAMMAR[kind], said), said
        assert not re.search(r"[{}]|  | [?.]", question), question


def test_a_conversation_asks_for_a_description_once_and_is_set_by_its_seed() -> None:
    rng = np.random.default_rng(2)
    drawn = scene(*canvas(rng), rng)
    for seed in range(30):
        turns = conversation(drawn, 5, np.random.default_rng(seed))
        assert turns == conversation(drawn, 5, np.random.default_rng(seed))
        kinds = [kind for kind, _, _ in turns]
        assert len(kinds) == 5
        assert kinds.count("describe") == 1
        assert set(kinds) <= {"describe", *WEIGHTS}
