"""An answer cut short is gone on with as if it had not been, and a turn's cost is known before it is paid."""

import pytest

import llavacli_core as core
from llavacli_core.errors import BadOption
from llavacli_core.options import Sampling
from tests.parity.asking import finish
from tests.reference import pictures

pytestmark = pytest.mark.parity

BASES = ("llava-1.5", "next-mistral-window", "next-qwen")
TURN = [core.Image(pictures.photo(3)), "What is shown in this image?"]


@pytest.mark.parametrize("base", BASES)
def test_going_on_is_as_not_having_stopped(base, engine):
    whole = finish(engine(base).session().generate(TURN, Sampling(max_tokens=24)))
    session = engine(base).session()
    first = finish(session.generate(TURN, Sampling(max_tokens=7)))
    for length in (1, 16):
        *pieces, done = list(session.go_on(Sampling(max_tokens=length)))
        assert (
            done.usage.cached_tokens == done.usage.prompt_tokens - 1
        )  # the last said was chosen, and not yet computed
        assert done.usage.completion_tokens == length
    assert done.token_ids == whole.token_ids
    assert done.text == whole.text
    assert first.token_ids == whole.token_ids[:7]
    assert [message.role for message in session.messages] == ["user", "assistant"]
    assert session.messages[-1].text == whole.text
    assert "".join(piece.text for piece in pieces) in whole.text


def test_going_on_after_an_interruption(engine):
    whole = finish(engine("llava-1.5").session().generate(TURN, Sampling(max_tokens=24)))
    session = engine("llava-1.5").session()
    answer = session.generate(TURN, Sampling(max_tokens=24))
    next(answer)
    answer.stop()
    cut = finish_events(answer)
    assert cut.finish_reason == "interrupted"
    done = finish_events(session.go_on(Sampling(max_tokens=24 - len(cut.token_ids))))
    assert done.token_ids == whole.token_ids


def test_going_on_with_an_answer_from_elsewhere(engine):
    session = engine("llava-1.5").session()
    session.messages += [core.Message("user", TURN), core.Message("assistant", "A red circle")]
    done = finish_events(session.go_on(Sampling(max_tokens=5)))
    assert done.text.startswith("A red circle")
    assert len(session.messages) == 2


@pytest.mark.parametrize("base", ["llava-interleave", "next-llama3"])
def test_half_a_character_is_shown_once(base, engine):
    """Random answers of byte-level tokenizers end in the middle of characters all the time."""
    for length in range(1, 12):
        session = engine(base).session()
        first = finish(session.generate(TURN, Sampling(max_tokens=length)))
        *pieces, done = list(session.go_on(Sampling(max_tokens=5)))
        shown = first.text + "".join(piece.text for piece in pieces)
        assert shown == done.text or first.text.endswith("\N{REPLACEMENT CHARACTER}")
        assert len(shown) <= len(done.text) + 1


def test_there_is_nothing_to_go_on_with(engine):
    with pytest.raises(BadOption, match="no answer"):
        next(engine("llava-1.5").session().go_on())


@pytest.mark.parametrize("base", BASES)
def test_a_plan_is_what_the_turn_then_costs(base, engine):
    session = engine(base).session("Be brief.")
    for turn in (TURN, "And now?", [*TURN, "Again."]):
        plan = session.plan(turn)
        before = list(session.messages)
        done = finish(session.generate(turn, Sampling(max_tokens=5)))
        assert (plan.prompt_tokens, plan.cached_tokens) == (done.usage.prompt_tokens, done.usage.cached_tokens)
        assert plan.room == engine(base).info.max_positions - done.usage.prompt_tokens
        assert plan.request.prompt_text == done.prompt_text == session.request.prompt_text
        assert session.messages[: len(before)] == before


def test_asking_again_computes_no_more_than_the_last_position(engine):
    session = engine("next-qwen").session()
    first = finish(session.generate(TURN, Sampling(max_tokens=9)))
    del session.messages[-2:]
    again = finish(session.generate(TURN, Sampling(max_tokens=9)))
    assert again.token_ids == first.token_ids
    assert again.usage.cached_tokens == first.usage.prompt_tokens - 1


def finish_events(generation):
    """The last event; of an answer that was gone on with, the pieces are not the whole."""
    *_, done = generation
    return done


def test_what_a_stop_string_cut_off_does_not_come_back(engine):
    session = engine("llava-1.5").session()
    whole = finish(engine("llava-1.5").session().generate(TURN, Sampling(max_tokens=24)))
    stop = whole.text[len(whole.text) // 2 :][:3]
    cut = finish(session.generate(TURN, Sampling(max_tokens=24, stop=(stop,))))
    assert cut.finish_reason == "stop"
    assert stop not in cut.text
    *pieces, done = session.go_on(Sampling(max_tokens=5))
    assert done.text == cut.text + "".join(piece.text for piece in pieces)


def test_a_stop_string_that_the_cut_goes_through(engine):
    whole = finish(engine("llava-1.5").session().generate(TURN, Sampling(max_tokens=24)))
    for length in range(2, 12):
        session = engine("llava-1.5").session()
        first = finish(session.generate(TURN, Sampling(max_tokens=length)))
        rest = whole.text[len(first.text) :]
        stop = first.text[-2:] + rest[:2]
        if whole.text.find(stop) != len(first.text) - 2 or len(stop) < 4:
            continue
        *pieces, done = session.go_on(Sampling(max_tokens=24, stop=(stop,)))
        assert (done.finish_reason, done.text, pieces) == ("stop", first.text[:-2], [])
        return
    raise AssertionError("no cut is fit for it")


def test_what_might_have_begun_a_stop_string_is_shown_once(engine):
    whole = finish(engine("llava-1.5").session().generate(TURN, Sampling(max_tokens=24)))
    session = engine("llava-1.5").session()
    first = finish(session.generate(TURN, Sampling(max_tokens=7)))
    stop = first.text[-3:] + "\N{SNOWMAN}"
    *pieces, done = session.go_on(Sampling(max_tokens=17, stop=(stop,)))
    assert first.text + "".join(piece.text for piece in pieces) == done.text == whole.text
