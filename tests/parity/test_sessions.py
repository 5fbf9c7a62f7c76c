"""Conversations that keep their cache say what a fresh run over the same history says, and what the reference says."""

import pytest

from llavacli_core.errors import TooLong, UnreadableInput
from llavacli_core.messages import Image, Message
from llavacli_core.options import Sampling
from tests.parity.asking import assert_same, finish
from tests.reference import pictures
from tests.reference.cases import Case

pytestmark = pytest.mark.parity

LENGTH = 20
SAMPLING = Sampling(max_tokens=LENGTH)
BASES = ("llava-1.5", "llava-interleave", "next-vicuna", "next-mistral-window", "next-qwen", "next-llama3", "next-yi")
TURNS = (
    ("Hello, who are you?",),
    (pictures.photo(3), "What is shown in this image?"),
    ("And what colour is it?",),
    (pictures.sized(31, 97), pictures.photo(3), "Compare the two."),
)


def as_parts(turn):
    return [part if isinstance(part, str) else Image(part) for part in turn]


def history(system, turns, answers):
    """The conversation up to the last of `turns`, as a case for the reference."""
    said = [("user", turn) for turn in turns]
    spoken = [turn for pair in zip(said, [("assistant", (text,)) for text in answers], strict=False) for turn in pair]
    return Case("history", (("system", (system,)), *spoken, said[-1]))


@pytest.mark.parametrize("base", BASES)
def test_each_turn_is_as_a_fresh_run(base, engine, reference):
    session, answers, known = engine(base).session(system="Be brief."), [], 0
    for number, turn in enumerate(TURNS, start=1):
        done = finish(session.generate(as_parts(turn), SAMPLING))
        case = history("Be brief.", TURNS[:number], answers)
        fresh = assert_same(engine(base), case, reference(base).answer(case, LENGTH), LENGTH)
        assert done.token_ids == fresh.token_ids
        assert done.text == fresh.text
        assert fresh.usage.cached_tokens == 0
        assert done.usage.cached_tokens >= known - 4  # words may join up with what follows them
        known = done.usage.prompt_tokens
        answers.append(done.text)


def test_a_picture_is_encoded_once(engine, monkeypatch):
    network, seen = engine("next-vicuna").network, []
    encode = network.image_features

    def counting(pixels, grids):
        seen.extend(grids)
        return encode(pixels, grids)

    monkeypatch.setattr(network, "image_features", counting)
    session = engine("next-vicuna").session()
    finish(session.generate([Image(pictures.photo(1)), "What is this?"], SAMPLING))
    finish(session.generate("And where?", SAMPLING))
    finish(session.generate([Image(pictures.photo(1)), Image(pictures.photo(2)), "Which is older?"], SAMPLING))
    assert len(seen) == 2


def test_turns_may_be_edited(engine):
    session = engine("next-llama3").session()
    finish(session.generate([Image(pictures.photo(1)), "What is this?"], SAMPLING))
    finish(session.generate("Really?", SAMPLING))
    del session.messages[2:]
    session.messages[1] = Message("assistant", "A cat.")
    done = finish(session.generate([Image(pictures.photo(2)), "And this?"], SAMPLING))
    fresh = finish(engine("next-llama3").generate(session.messages[:-1], SAMPLING))
    assert done.token_ids == fresh.token_ids
    assert done.usage.cached_tokens > done.images[0].tokens


def test_an_interrupted_answer_is_kept_and_continued_from(engine):
    session = engine("next-yi").session()
    generation = session.generate([Image(pictures.photo(1)), "What is this?"], SAMPLING)
    next(generation)
    generation.stop()
    *_, cut = generation
    assert session.messages[-1] == Message("assistant", cut.text)
    done = finish(session.generate("Go on.", SAMPLING))
    fresh = finish(engine("next-yi").generate(session.messages[:-1], SAMPLING))
    assert done.token_ids == fresh.token_ids


def test_a_picture_is_not_taken_for_one_that_was_dropped(engine):
    """The new picture may come to lie at the address in memory where the old one was."""
    session = engine("next-vicuna").session()
    for width in range(20, 40):
        done = finish(session.generate([Image(pictures.sized(width, 30)), "What is this?"], Sampling(max_tokens=1)))
        assert done.images[0].width == width
        session.messages.clear()


def test_a_picture_cut_otherwise_is_another(engine):
    """Even where both cuts take as many tokens."""
    session, source = engine("next-vicuna").session(), pictures.sized(397, 262)
    first = finish(session.generate([Image(source, max_tiles=3), "What is this?"], SAMPLING))
    second = finish(session.generate([Image(source), "And finer?"], SAMPLING))
    one, other = first.images[0], second.images[-1]
    assert one.tiles != other.tiles
    assert one.tokens == other.tokens
    assert second.token_ids == finish(engine("next-vicuna").generate(session.messages[:-1], SAMPLING)).token_ids


def test_a_turn_that_fails_leaves_no_trace(engine):
    session = engine("next-vicuna").session()
    with pytest.raises(UnreadableInput):
        finish(session.generate([Image(pictures.photo()), Image(b"no picture"), "What is this?"], SAMPLING))
    assert session.messages == []
    done = finish(session.generate([Image(pictures.photo()), "What is this?"], SAMPLING))
    fresh = finish(engine("next-vicuna").generate(session.messages[:-1], SAMPLING))
    assert done.token_ids == fresh.token_ids


def test_a_turn_too_long_says_by_how_much(engine):
    with pytest.raises(TooLong, match="2048"):
        finish(engine("next-vicuna").generate([Message("user", "word " * 3000)], SAMPLING))
