"""Requests answered together are answered as each alone, token for token."""

import functools
import itertools
import threading
from dataclasses import replace

import pytest
import torch

import llavacli_core as core
from llavacli_core.engine.starting import Conversations
from llavacli_core.engine.together import Together
from llavacli_core.errors import MissingInput, OutOfMemory
from llavacli_core.options import Sampling
from tests.parity.asking import finish
from tests.reference.cases import BY_NAME, CASES

LENGTHS = (3, 40, 11, 25)


def mixed(count):
    """Pictures of every kind, several, none; short answers and long ones."""
    chosen = [CASES[place * 7 % len(CASES)] for place in range(count)]
    return [
        (case.messages, Sampling(max_tokens=length))
        for case, length in zip(chosen, itertools.cycle(LENGTHS), strict=False)
    ]


def noting(batch, events):
    """Put each event down as it comes; there is nothing to give back."""
    for each in batch:
        events.append(each)
    return ()


def collected(batch):
    """The texts and the last event of each request, and the order in which they ended."""
    texts, last, order = {}, {}, []
    for index, event in batch:
        assert index not in last
        if isinstance(event, core.Text):
            texts[index] = texts.get(index, "") + event.text
        else:
            last[index] = event
            order.append(index)
    return texts, last, order


@pytest.fixture(scope="module")
def singly(engine):
    """What `mixed(24)` is answered by a base checkpoint, each request alone."""

    @functools.cache
    def answers(base):
        return [finish(engine(base).generate(messages, sampling)) for messages, sampling in mixed(24)]

    return answers


@pytest.mark.parametrize("rows", [1, 5, 24, "auto"])
@pytest.mark.parametrize("base", ["llava-1.5", "next-mistral-window"])
def test_a_batch_equals_single_runs(base, rows, engine, singly):
    texts, last, _ = collected(engine(base).batch(mixed(24), rows=rows))
    for index, alone in enumerate(singly(base)):
        done = last[index]
        assert done.token_ids == alone.token_ids
        assert done.text == alone.text == texts.get(index, "")
        assert (done.finish_reason, done.prompt_text, done.images) == (
            alone.finish_reason,
            alone.prompt_text,
            alone.images,
        )
        assert replace(done.usage, cached_tokens=0) == alone.usage


def test_long_prompts(engine):
    """Caches that have grown on the way, beside one that has not."""
    asked = [(BY_NAME[name].messages, Sampling(max_tokens=6)) for name in ("photo", "text only", "two pictures")]
    asked.append((asked[0][0], Sampling(max_tokens=5, beams=2)))
    _, last, _ = collected(engine("next-336").batch(asked))
    for index, (messages, sampling) in enumerate(asked):
        assert last[index].token_ids == finish(engine("next-336").generate(messages, sampling)).token_ids
    assert last[0].usage.prompt_tokens > 1000


@pytest.mark.parametrize("base", ["video", "video-mistral"])
def test_clips_pictures_and_words_together(base, engine):
    names = ("two clips around a picture", "text only", "a clip in the second turn", "photo", "two pictures", "system")
    asked = [
        (BY_NAME[name].messages, Sampling(max_tokens=length)) for name, length in zip(names, LENGTHS * 2, strict=False)
    ]
    _, last, _ = collected(engine(base).batch(asked, rows=4))
    for index, (messages, sampling) in enumerate(asked):
        alone = finish(engine(base).generate(messages, sampling))
        assert last[index].token_ids == alone.token_ids
        assert last[index].videos == alone.videos
    assert len(last[0].videos) == 2


LONG = 300  # tokens: of an answer that the others' starts, in a thread of their own, do not outlast


def test_a_short_answer_comes_before_a_long_one_ends(engine):
    requests = mixed(4)
    _, _, order = collected(engine("llava-1.5").batch([(requests[0][0], Sampling(max_tokens=n)) for n in (LONG, 2, 9)]))
    assert order == [1, 2, 0]


def test_waiting_requests_are_admitted_when_a_row_is_free(engine):
    (messages, _), *_ = mixed(1)
    sizes = (LONG, 2, 2, 2)
    _, _, order = collected(engine("llava-1.5").batch([(messages, Sampling(max_tokens=n)) for n in sizes], rows=2))
    assert order == [1, 2, 3, 0]


def test_samples_in_a_batch_are_those_of_their_seeds(engine):
    (messages, _), *_ = mixed(1)
    wishes = [Sampling(max_tokens=15, temperature=1.2, top_p=0.9, seed=seed) for seed in (1, 2)]
    wishes.append(Sampling(max_tokens=15, repetition_penalty=1.5))
    _, last, _ = collected(engine("llava-1.5").batch([(messages, sampling) for sampling in wishes]))
    for index, sampling in enumerate(wishes):
        assert last[index].token_ids == finish(engine("llava-1.5").generate(messages, sampling)).token_ids


def test_beams_in_a_batch(engine):
    requests = mixed(3)
    requests[1] = (requests[1][0], Sampling(max_tokens=12, beams=3))
    _, last, _ = collected(engine("llava-1.5").batch(requests))
    for index, (messages, sampling) in enumerate(requests):
        assert last[index].token_ids == finish(engine("llava-1.5").generate(messages, sampling)).token_ids


def test_one_that_fails_does_not_stop_the_others(engine):
    requests = mixed(3)
    requests[1] = ([core.Message("user", [core.Image("no/such/file.jpg"), "What?"])], None)
    _, last, _ = collected(engine("llava-1.5").batch(requests))
    assert isinstance(last[1], core.Failed)
    assert isinstance(last[1].error, MissingInput)
    for index in (0, 2):
        assert last[index].token_ids == finish(engine("llava-1.5").generate(*requests[index])).token_ids


def test_no_requests(engine):
    assert list(engine("llava-1.5").batch([])) == []


def test_an_endless_source_of_requests_is_read_a_little_ahead(engine):
    (messages, _), *_ = mixed(1)
    asked = itertools.count()
    batch = engine("llava-1.5").batch(((messages, Sampling(max_tokens=2)) for _ in asked), rows=2)
    done = [index for index, event in itertools.islice(batch, 40) if isinstance(event, core.Done)]
    batch.close()
    assert all(abs(index - place) < 6 for place, index in enumerate(done))  # nobody is left behind
    assert next(asked) < max(done) + 12


def test_stopping_ends_those_that_run_and_begins_no_more(engine):
    (messages, _), *_ = mixed(1)
    batch = engine("llava-1.5").batch([(messages, Sampling(max_tokens=40))] * 5, rows=2)
    next(batch)
    batch.stop()
    _, last, order = collected(batch)
    assert 1 <= len(order) <= 2
    assert all(event.finish_reason == "interrupted" for event in last.values())


def test_messages_of_the_wrong_kind_are_refused_for_their_request_alone(engine):
    (messages, sampling), *_ = mixed(1)
    _, last, _ = collected(engine("llava-1.5").batch([([], None), (messages, sampling)]))
    assert isinstance(last[0], core.Failed)
    assert isinstance(last[1], core.Done)


def test_a_slow_source_of_requests_keeps_no_answer_waiting(engine):
    """The second request comes only when the first has been answered."""
    (messages, _), *_ = mixed(1)
    answered = threading.Event()

    def asked():
        yield messages, Sampling(max_tokens=3)
        assert answered.wait(60)
        yield messages, Sampling(max_tokens=2)

    done = []
    for index, event in engine("llava-1.5").batch(asked()):
        if isinstance(event, core.Done):
            done.append(index)
            answered.set()
    assert done == [0, 1]


def test_stopping_does_not_wait_for_the_next_request(engine):
    (messages, _), *_ = mixed(1)
    never = threading.Event()

    def asked():
        yield messages, Sampling(max_tokens=2)
        never.wait(60)

    batch = engine("llava-1.5").batch(asked())
    for _, event in batch:
        if isinstance(event, core.Done):
            batch.stop()
    never.set()


def test_what_the_source_raises_comes_after_the_answers_before_it(engine):
    (messages, _), *_ = mixed(1)

    def asked():
        yield messages, Sampling(max_tokens=9)
        yield messages, Sampling(max_tokens=4)
        raise ZeroDivisionError

    events = []
    with pytest.raises(ZeroDivisionError):
        events.extend(noting(engine("llava-1.5").batch(asked()), events))
    assert sorted(index for index, event in events if isinstance(event, core.Done)) == [0, 1]


@pytest.mark.parametrize("asked", [("hi", None), "hi", ([42], None), ([], {"max_tokens": 3}), 7])
def test_what_is_no_request_fails_alone(asked, engine):
    (messages, sampling), *_ = mixed(1)
    _, last, _ = collected(engine("llava-1.5").batch([asked, (messages, sampling)]))
    assert isinstance(last[0], core.Failed)
    assert isinstance(last[0].error, core.errors.BadOption)
    assert isinstance(last[1], core.Done)


@pytest.mark.parametrize("rows", [0, 1.5, "8"])
def test_rows_that_are_no_number_are_refused(rows, engine):
    with pytest.raises(core.errors.BadOption, match="rows"):
        engine("llava-1.5").batch([], rows=rows)


def test_what_does_not_fit_in_memory_beside_the_others_waits_for_one_to_end(engine, monkeypatch):
    """Memory for two rows: a third is tried, refused, and answered when there is room."""
    join = Together.join

    def cramped(self, rows, logits, answers):
        if len(self.answers) == 2:
            raise OutOfMemory("no room for a third")
        return join(self, rows, logits, answers)

    monkeypatch.setattr(Together, "join", cramped)
    requests = mixed(6)
    _, last, _ = collected(engine("llava-1.5").batch(requests, rows=4))
    for index, (messages, sampling) in enumerate(requests):
        assert last[index].token_ids == finish(engine("llava-1.5").generate(messages, sampling)).token_ids


@pytest.mark.parametrize("rows", [1, 4])
def test_a_picture_that_several_ask_about_is_computed_once(rows, engine, checkpoint):
    """The prompt's beginning, picture included, is what later answers need not compute."""
    ours = core.load(checkpoint("next-mistral-window"), device="cpu", dtype="float32")  # which knows no prompt yet
    picture = BY_NAME["photo"].messages[0].parts[0]
    questions = ("What is this?", "Where was it taken, and when? Tell me everything.", "Who?", "Why?", "Really?")
    asked = [([core.Message("user", [picture, text])], Sampling(max_tokens=9)) for text in questions]
    asked.insert(2, mixed(2)[1])
    _, last, _ = collected(ours.batch(asked, rows=rows))
    for index, (messages, sampling) in enumerate(asked):
        assert last[index].token_ids == finish(engine("next-mistral-window").generate(messages, sampling)).token_ids
    known = sorted(last[index].usage.cached_tokens for index in range(len(asked)))  # whichever was ready first
    assert known[0] == 0
    assert known[-1] > last[0].usage.image_tokens
    assert known.count(0) <= 2  # the first of all, and where another came between


def crowded(monkeypatch, network, most):
    """Memory for `most` rows: a step of more fails. How many rows each step had that was tried."""
    step, tried = type(network).step, []

    def cramped(self, tokens, rows):
        tried.append(len(rows))
        if len(rows) > most:
            raise torch.OutOfMemoryError
        return step(self, tokens, rows)

    monkeypatch.setattr(type(network), "step", cramped)
    return tried


def test_where_memory_fails_in_a_step_half_go_on_and_half_later(engine, monkeypatch):
    requests = mixed(9)
    requests[2] = (requests[2][0], Sampling(max_tokens=15, temperature=1.2, top_p=0.9, seed=3))
    requests[3] = (requests[3][0], Sampling(max_tokens=15, repetition_penalty=1.5))
    alone = [finish(engine("llava-1.5").generate(*request)) for request in requests]
    tried = crowded(monkeypatch, engine("llava-1.5").network, 2)
    texts, last, _ = collected(engine("llava-1.5").batch(requests, rows=8))
    assert max(tried) == 8
    assert sum(rows > 2 for rows in tried) < 8  # it remembers
    for index, done in enumerate(alone):
        assert last[index].token_ids == done.token_ids
        assert texts.get(index, "") == done.text == last[index].text
        assert replace(last[index].usage, cached_tokens=0) == done.usage


def test_where_memory_fails_for_a_group_its_halves_are_tried(engine, monkeypatch):
    start, tried = Conversations.start, []

    def cramped(self, requests, *rest):
        tried.append(len(requests))
        if len(requests) > 1:
            raise OutOfMemory("too many")
        return start(self, requests, *rest)

    monkeypatch.setattr(Conversations, "start", cramped)
    requests = [mixed(1)[0]] * 6
    _, last, _ = collected(engine("llava-1.5").batch(requests, rows=6))
    assert len({last[index].token_ids for index in range(6)}) == 1
    assert last[0].token_ids == finish(engine("llava-1.5").generate(*requests[0])).token_ids
    assert tried.count(1) == 6


def test_what_does_not_fit_in_memory_alone_fails(engine, monkeypatch):
    def full(*_):
        raise OutOfMemory("no room at all")

    monkeypatch.setattr(Together, "join", full)
    _, last, _ = collected(engine("llava-1.5").batch(mixed(3)))
    assert all(isinstance(last[index], core.Failed) for index in range(3))
