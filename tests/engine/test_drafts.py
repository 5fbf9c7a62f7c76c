"""Drafts make answers shorter to wait for, and never other ones, however well or badly they guess."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import llavacli_core as core
from llavacli_core.engine import batch, drafts
from llavacli_core.engine.drafts import GUESSES, LONGEST, Drafts
from llavacli_core.engine.pace import SELDOM, SOON, Pace

CIRCLES = core.Image("examples/shapes.png")
QUESTIONS = ["Describe this image in detail.", "How many shapes are there?", "Where is the star?", "Describe it."]
SAMPLINGS = [
    core.Sampling(max_tokens=64),
    core.Sampling(max_tokens=1),
    core.Sampling(max_tokens=2),
    core.Sampling(max_tokens=9),
    core.Sampling(max_tokens=64, stop=("circle",)),
]
REQUESTS = [([core.Message("user", [CIRCLES, text])], sampling) for text in QUESTIONS for sampling in SAMPLINGS]
ids_of_answers = st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=30), max_size=8)


@pytest.fixture(scope="module")
def engine():
    return core.load("demo", device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def alone(engine):
    """Each answer by itself."""
    return [list(engine.generate(*request))[-1] for request in REQUESTS]


class Rigged(Drafts):
    """Guesses from the answers themselves, so many of them wrong; and too many."""

    def __init__(self, answers, wrong):
        super().__init__()
        self.answers, self.wrong, self.random = answers, wrong, random.Random(1)
        self.asked = 0

    def of(self, ids):
        self.asked += 1
        for answer in self.answers:
            if answer[: len(ids)] == list(ids):
                guess = answer[len(ids) : len(ids) + self.random.randint(0, 6)] + [9] * self.random.randint(0, 2)
                return [9 if self.random.random() < self.wrong else token_id for token_id in guess]
        return ()


@pytest.mark.parametrize("rows", [2, 5, 32])
@pytest.mark.parametrize("wrong", [0, 0.2, 1])
def test_answers_are_the_same_whatever_is_guessed(engine, alone, monkeypatch, rows, wrong):
    made = []

    def rigged():
        made.append(Rigged([list(answer.token_ids) for answer in alone], wrong))
        return made[-1]

    monkeypatch.setattr(batch, "Drafts", rigged)
    monkeypatch.setattr(Pace, "drafts", lambda self: True)
    texts, ended = [""] * len(REQUESTS), [None] * len(REQUESTS)
    for index, event in engine.batch(REQUESTS, rows):
        if isinstance(event, core.Text):
            texts[index] += event.text
        else:
            ended[index] = event
    assert made[0].asked
    for text, event, single in zip(texts, ended, alone, strict=True):
        assert event.token_ids == single.token_ids
        assert (event.text, event.finish_reason, text) == (single.text, single.finish_reason, single.text)


def test_captions_of_a_run_need_fewer_steps_than_tokens(engine, monkeypatch):
    monkeypatch.setattr(Pace, "drafts", lambda self: True)
    steps = []
    step = engine.network.step

    def counted(tokens, rows):
        steps.append(tokens.shape)
        return step(tokens, rows)

    monkeypatch.setattr(engine.network, "step", counted)
    question = [core.Message("user", [CIRCLES, QUESTIONS[0]])]
    answers = [event for _, event in engine.batch([(question, SAMPLINGS[0])] * 6, 2) if isinstance(event, core.Done)]
    longest = max(len(answer.token_ids) for answer in answers)
    assert len(steps) < 2.2 * longest  # three pairs: the second and third go by what the first said
    assert {width for _, width in steps} > {1}


def test_one_row_has_none_and_nor_has_what_is_drawn(engine, monkeypatch):
    widths = set()
    step = engine.network.step

    def watched(tokens, rows):
        widths.add(tokens.shape[1])
        return step(tokens, rows)

    monkeypatch.setattr(engine.network, "step", watched)
    list(engine.batch(REQUESTS[:3], 1))
    drawn = core.Sampling(max_tokens=20, temperature=1.0, seed=1)
    list(engine.batch([(messages, drawn) for messages, _ in REQUESTS[:6]], 4))
    assert widths == {1}


@given(ids_of_answers, st.lists(st.integers(0, 5), max_size=8))
def test_each_guess_is_what_followed_the_longest_known_ending_most_often(answers, ids):
    known = Drafts()
    for answer in answers:
        known.learn(answer, len(answer))
    guess = list(known.of(ids))
    assert len(guess) <= GUESSES
    for place in range(len(guess) + 1):
        said = [*ids, *guess[:place]]
        followers = followers_of(answers, said)
        if place == len(guess):
            assert place == GUESSES or not followers
        else:
            most = max(map(followers.count, followers))
            youngest = [each for each in followers if followers.count(each) == most]
            assert guess[place] == youngest[-1]


def followers_of(answers, said):
    """What followed the longest known ending of an answer, each time it stood there, in the order it was said."""
    for length in range(min(LONGEST, len(said)), 0, -1):
        followers = [
            answer[place]
            for answer in answers
            for place in range(length, len(answer))
            if answer[place - length : place] == said[-length:]
        ]
        if followers:
            return followers
    return []


def test_an_answer_is_learned_as_it_grows():
    known, answer = Drafts(), []
    for token_id in (5, 6, 7, 8, 9):
        answer.append(token_id)
        known.learn(answer, 1)
    assert list(known.of([5, 6])) == [7, 8, 9]


def test_memory_has_an_end_and_the_oldest_goes(monkeypatch):
    monkeypatch.setattr(drafts, "REMEMBERED", 100)
    known = Drafts()
    for number in range(1000):
        known.learn([number, 2000, number], 3)
    assert len(known._followers) <= 100
    assert list(known.of([999])) == [2000, 999, 2000]
    assert list(known.of([1])) == []


def rates(pace, with_drafts, without, steps):
    """How many of the next steps had drafts, at so many tokens a second."""
    had = 0
    for _ in range(steps):
        drafted = pace.drafts()
        had += drafted
        pace.took(drafts=drafted, tokens=10, seconds=10 / (with_drafts if drafted else without))
    return had


def test_the_faster_way_is_taken_and_the_other_tried_again():
    pace, long = Pace(), 10 * SELDOM
    rates(pace, 200, 100, long)
    assert 0.9 * long <= rates(pace, 200, 100, long) < long
    rates(pace, 50, 100, 2 * SELDOM)  # the text has changed
    assert 0 < rates(pace, 50, 100, long) <= 0.1 * long
    rates(pace, 200, 100, 2 * SELDOM)
    assert rates(pace, 200, 100, long) >= 0.9 * long


def test_drafts_that_begin_to_hold_are_soon_noticed():
    pace = Pace()
    rates(pace, 60, 100, 2 * SOON)  # as at first, when little is known
    assert rates(pace, 200, 100, 10 * SOON) >= 5 * SOON


def test_one_disturbed_step_changes_little():
    pace = Pace()
    rates(pace, 200, 100, 100)
    pace.took(drafts=True, tokens=10, seconds=1.0)  # twenty times as long as ever
    assert rates(pace, 200, 100, 2 * SELDOM) > 1.2 * SELDOM


def test_a_step_without_guesses_counts_as_plain():
    pace = Pace()
    assert pace.drafts()
    pace.took(drafts=False, tokens=8, seconds=0.1)  # nothing was known yet
    assert pace.drafts()  # still to be measured
