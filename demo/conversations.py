"""Questions about a scene and their answers: ten kinds of question, many wordings, one fixed form of answer."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.random import Generator

from demo.palette import COLOURS
from demo.scenes import KINDS, Scene, Shape
from demo.wordings import AMERICAN, IMAGE, OTHER_COLOURS, SHAPES, STRANGERS, WORDINGS

NUMBERS = ("no", "one", "two", "three", "four")
WEIGHTS = {
    "exists": 2.0,
    "colour": 1.6,
    "where": 1.6,
    "count": 1.0,
    "which": 1.0,
    "verify": 1.6,
    "size": 0.6,
    "tally": 0.5,
    "background": 0.4,
}
ONCE = ("count", "background", "describe")  # asked at most once about a picture
ABSENT = 0.07  # share of questions about a shape that is not there, where the question takes for granted that it is

Turn = tuple[str, str, str]  # kind of question, question, answer


def conversation(scene: Scene, questions: int, rng: Generator) -> list[Turn]:
    """`questions` turns about the scene: a description, last in half of all cases, and others drawn by weight."""
    weights = dict(WEIGHTS)
    turns: list[Turn] = []
    while len(turns) < questions - 1:
        kinds, shares = tuple(weights), list(weights.values())
        kind = kinds[rng.choice(len(kinds), p=[share / sum(shares) for share in shares])]
        if kind in ONCE:
            del weights[kind]
        new = turn(scene, kind, rng)
        if rng.random() < 0.1 or new[2] not in (old[2] for old in turns):  # rarely the same again
            turns.append(new)
    describe = turn(scene, "describe", rng)
    spot = len(turns) if rng.random() < 0.5 else int(rng.integers(questions))
    return [*turns[:spot], describe, *turns[spot:]]


def turn(scene: Scene, kind: str, rng: Generator) -> Turn:
    """One question of that kind and its answer."""
    shape, colour = _subject(scene, kind, rng), _subject_colour(scene, kind, rng)
    if kind == "exists":
        shape, colour = _sought(scene, rng)
    subject = f"{colour} {shape}" if kind == "exists" and colour and shape else shape or colour
    template = WORDINGS[kind][rng.integers(len(WORDINGS[kind]))]
    if kind == "exists" and not shape:
        subject = f"{colour} {'shape' if rng.random() < 0.7 else 'object'}"
    question = template.format(
        kind=subject if kind == "exists" else shape,
        kinds=f"{subject if kind == 'exists' else shape}s",
        colour=colour,
        image=IMAGE[rng.integers(len(IMAGE))],
        shapes=SHAPES[rng.integers(len(SHAPES))],
    )
    question = (question[0].upper() + question[1:]).replace(" a orange", " an orange")
    return kind, reworded(question, rng), answer(scene, kind, shape, colour)


def reworded(question: str, rng: Generator) -> str:
    """As people type it: American spelling, lower case, or without its last mark at times."""
    if rng.random() < 0.35:
        for british, american in AMERICAN.items():
            question = question.replace(british, american)
    if rng.random() < 0.2:
        question = question.lower()
    if rng.random() < 0.12:
        question = question.rstrip("?.")
    return question


def _subject(scene: Scene, kind: str, rng: Generator) -> str:
    """The kind of shape a question is about, one that is there unless ABSENT says otherwise."""
    present = sorted({shape.kind for shape in scene.shapes})
    if kind == "tally" or not present or rng.random() < ABSENT:
        return KINDS[rng.integers(len(KINDS))]
    return present[rng.integers(len(present))]


def _subject_colour(scene: Scene, kind: str, rng: Generator) -> str:
    """The colour a question is about; half of the time the right one where it asks for a yes or a no."""
    present = sorted({shape.colour for shape in scene.shapes})
    wrong = 0.5 if kind == "verify" else ABSENT
    if not present or rng.random() < wrong:
        return COLOURS[rng.integers(len(COLOURS))]
    return present[rng.integers(len(present))]


def _sought(scene: Scene, rng: Generator) -> tuple[str, str]:
    """What "is there ...?" asks for, as (kind, colour), either of them empty: there or not, about half each."""
    draw = rng.random()
    if draw < 0.03:
        return STRANGERS[rng.integers(len(STRANGERS))], ""
    if draw < 0.04:
        return KINDS[rng.integers(4)], OTHER_COLOURS[rng.integers(len(OTHER_COLOURS))]
    kind, colour = KINDS[rng.integers(4)], COLOURS[rng.integers(8)]
    if draw < 0.6:
        return kind, ""
    if scene.shapes and rng.random() < 0.5:
        shape = scene.shapes[rng.integers(len(scene.shapes))]
        kind, colour = shape.kind, shape.colour
    elif scene.shapes and rng.random() < 0.6:  # half right: the hard case
        shape = scene.shapes[rng.integers(len(scene.shapes))]
        kind, colour = (shape.kind, colour) if rng.random() < 0.5 else (kind, shape.colour)
    return (kind, colour) if draw < 0.82 else ("", colour)


def answer(scene: Scene, kind: str, shape: str = "", colour: str = "") -> str:
    """The true answer to a question of that kind about `shape` (a kind of shape), `colour`, or both."""
    found = [each for each in scene.shapes if shape in ("", each.kind) and colour in ("", each.colour)]
    match kind:
        case "describe":
            return _description(scene)
        case "count":
            return f"There {_number(len(scene.shapes), 'shape')}."
        case "background":
            word = scene.background.word
            return f"The background is {'a gradient' if word == 'gradient' else word}."
        case "exists":
            return _existence(found, f"{colour} {shape or 'shape'}".strip())
        case "which":
            return _which([each for each in scene.shapes if each.colour == colour], colour)
    return _about(scene, kind, [each for each in scene.shapes if each.kind == shape], shape, colour)


def _about(scene: Scene, kind: str, found: list[Shape], name: str, colour: str) -> str:
    """Answers to questions about the shapes of one kind."""
    if kind == "tally":
        return f"There {_number(len(found), name)}."
    if not found:
        return f"There is no {name}."
    told = f"The {name} is" if len(found) == 1 else f"The {name}s are"
    match kind:
        case "colour":
            return f"{told} {_join(_distinct([each.colour for each in found]))}."
        case "verify":
            colours = _distinct([each.colour for each in found])
            return f"{'Yes' if colours == [colour] else 'No'}, {told[0].lower()}{told[1:]} {_join(colours)}."
        case "where":
            return f"{told} {_join(_distinct([scene.place(each) for each in found]))}."
        case "size":
            return f"{told} {_join(_distinct([each.size for each in found]))}."
    raise AssertionError(kind)


def _description(scene: Scene) -> str:
    """How many shapes on what, then each with its size, colour and place."""
    head = f"There {_number(len(scene.shapes), 'shape')} on a {scene.background.word} background"
    if not scene.shapes:
        return f"{head}."
    shapes = [f"a {each.size} {each.colour} {each.kind} {scene.place(each)}" for each in scene.shapes]
    return f"{head}: {_join(shapes)}."


def _existence(found: list[Shape], sought: str) -> str:
    """Yes with the one that was found, or how many; else no."""
    if not found:
        return f"No, there is no {sought}."
    if len(found) > 1:
        return f"Yes, there {_number(len(found), sought)}."
    return f"Yes, there is {_a(found[0].colour)} {found[0].kind}."


def _which(found: list[Shape], colour: str) -> str:
    """The shapes of a colour."""
    if not found:
        return f"There is no {colour} shape."
    if len(found) == 1:
        return f"The {colour} shape is a {found[0].kind}."
    return f"The {colour} shapes are {_join([f'a {each.kind}' for each in found])}."


def _number(count: int, name: str) -> str:
    """ "is one circle", "are two circles", "are no circles"."""
    return f"is one {name}" if count == 1 else f"are {NUMBERS[count]} {name}s"


def _a(word: str) -> str:
    """The word with its indefinite article."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def _join(parts: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _distinct(words: list[str]) -> list[str]:
    """Each word once, in order."""
    return list(dict.fromkeys(words))
