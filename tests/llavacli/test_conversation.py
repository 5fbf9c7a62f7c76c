"""The state behind a chat, with the demo checkpoint: turns, pictures, settings, room, and what is kept of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import llavacli_core as core
from llavacli.failures import UsageError
from llavacli.options import GenerationOptions, ModelOptions
from llavacli.repl import album
from llavacli.repl.conversation import Conversation
from llavacli.repl.restoring import resumed_model, resumed_settings
from llavacli.sessions.records import Header
from llavacli.sessions.store import Store
from llavacli.sources import Source
from tests.llavacli.talking import SHAPES, WIDE, afresh, hear, load, talk


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


@pytest.fixture
def chat(database: Path) -> Conversation:
    return talk(database, max_tokens=48)


def texts(conversation: Conversation) -> list[str]:
    return [turn.answer.text for turn in conversation.turns if turn.answer is not None]


def kept(database: Path) -> list[str]:
    latest = Store.open(str(database)).latest()
    return [] if latest is None else [turn.text for turn in latest.turns]


def test_each_answer_is_that_of_a_fresh_run_and_only_what_is_new_is_computed(chat: Conversation) -> None:
    chat.attach(SHAPES)
    turns = ["How many shapes are there?", "What colour is the circle?", "", "Is there a star?"]
    known = 0
    for text in turns:
        if not text:
            chat.attach(WIDE)
        heard = hear(chat.ask(text))
        assert heard.text == afresh(chat, max_tokens=48)
        assert heard.done is not None
        assert heard.done.usage.cached_tokens >= known  # all of the turns before
        known = heard.done.usage.prompt_tokens
    assert (chat.tally.encoded, chat.tally.reused) == (2, 4)
    assert texts(chat)[0] == "There are three shapes."


def test_retry_undo_and_edit_cut_back_and_compute_little(chat: Conversation) -> None:
    chat.attach(SHAPES)
    first = hear(chat.ask("How many shapes are there?")).text
    again = hear(chat.retry())
    assert again.done is not None
    assert (again.text, again.notices) == (
        first,
        ["a greedy answer comes out the same each time; /set temperature 0.7 varies it"],
    )
    assert again.done.usage.cached_tokens == again.done.usage.prompt_tokens - 1
    assert hear(chat.retry()).notices == []  # said once
    edited = hear(chat.edit("What colour is the circle?"))
    assert edited.text == afresh(chat, max_tokens=48) == "The circle is red."
    hear(chat.ask("Is there a star?"))
    assert chat.undo() == []
    assert [turn.text for turn in chat.turns] == ["What colour is the circle?"]
    assert [each.label for each in chat.undo()] == ["[Image #1]"]
    assert (chat.turns, [each.label for each in chat.pending]) == ([], ["[Image #1]"])
    assert hear(chat.ask("How many shapes are there?")).text == first  # about the picture that waited
    assert (chat.tally.encoded, chat.pending) == (1, [])
    chat.undo()
    with pytest.raises(UsageError, match="there is no turn to take back"):
        chat.undo()


def test_what_earlier_turns_show_as_well_stays_there_alone(chat: Conversation) -> None:
    chat.attach(SHAPES)
    hear(chat.ask("How many shapes are there?"))
    chat.attach(WIDE)
    hear(chat.ask("Is [Image #1] like [Image #2]?"))
    assert [each.number for each in chat.undo()] == [2]
    assert [each.number for each in chat.attachments] == [1, 2]
    assert [each.number for each in chat.undo()] == [1]
    assert [each.number for each in chat.pending] == [1, 2]


def test_the_picture_of_a_turn_that_is_given_up_is_asked_about(chat: Conversation) -> None:
    chat.attach(SHAPES)
    hear(chat.ask("How many shapes are there?"))
    chat.turns[-1].answer = None  # as after a crash
    heard = hear(chat.ask("Where is the star?"))
    assert "given up, as it was never answered" in heard.notices[0]
    assert heard.done is not None
    assert (len(chat.turns), len(heard.done.images), chat.pending) == (1, 1, [])


def test_a_retry_with_a_temperature_has_a_seed_of_its_own(chat: Conversation) -> None:
    chat.set("temperature", "1")
    hear(chat.ask("hello"))
    seeds = {chat.turns[-1].question.sampling.seed}
    for _ in range(3):
        hear(chat.retry())
        seeds.add(chat.turns[-1].question.sampling.seed)
    assert len(seeds) == 4
    chat.set("seed", "5")
    first = hear(chat.retry()).text
    assert hear(chat.retry()).text == first


def test_an_answer_cut_short_goes_on_as_if_it_had_not_been(chat: Conversation) -> None:
    chat.attach(SHAPES)
    whole = hear(chat.ask("Describe this image in detail.")).text
    for cut in ("length", "interrupted"):
        chat.set("max-tokens", "5" if cut == "length" else "48")
        hear(chat.retry(), stop_after=None if cut == "length" else 4)
        assert chat.turns[-1].finish_reason == cut
        chat.set("max-tokens", "48")
        rest = hear(chat.go_on())
        assert rest.text == whole
        assert len("".join(rest.pieces)) < len(whole)
    with pytest.raises(UsageError, match="came to its own end"):
        chat.go_on()
    assert len(chat.turns) == 1


def test_a_stop_before_the_first_word_is_heeded(chat: Conversation) -> None:
    answering = chat.ask("hello")
    answering.stop()
    heard = hear(answering)
    assert heard.done is not None
    assert heard.done.finish_reason == "interrupted"
    assert len(heard.done.token_ids) <= 1


def test_a_dropped_picture_had_never_been_there(chat: Conversation) -> None:
    chat.attach(SHAPES)
    hear(chat.ask("How many shapes are there?"))
    chat.attach(WIDE)
    assert album.drop(chat, 2).source.name == WIDE  # pending
    chat.attach(WIDE)
    hear(chat.ask("How many shapes are there?"))
    assert [each.number for each in chat.attachments] == [1, 3]
    album.drop(chat, 1)
    heard = hear(chat.ask("What colour is the circle?"))
    assert heard.done is not None
    assert [image.width for image in heard.done.images] == [640]
    assert heard.text == afresh(chat, max_tokens=48)
    with pytest.raises(UsageError, match="no picture or clip has number 1"):
        album.drop(chat, 1)


def test_a_mark_is_drawn_wherever_the_picture_is(chat: Conversation) -> None:
    attachment = chat.attach(SHAPES)
    hear(chat.ask("How many shapes are there?"))
    album.mark(chat, attachment, [core.Mark.parse("box:10%,10%,50%,50%:red")])
    heard = hear(chat.retry())
    assert heard.done is not None
    assert heard.done.images[0].marks == ("box:10%,10%,50%,50%:red",)
    assert heard.text == afresh(chat, max_tokens=48)
    assert chat.tally.encoded == 2


def test_a_failure_changes_nothing(chat: Conversation, database: Path) -> None:
    hear(chat.ask("hello"))
    chat.attach(SHAPES)
    before = (list(chat.turns), list(chat.pending), texts(chat), kept(database))
    with pytest.raises(core.errors.TooLong):
        hear(chat.ask("word " * 2000))
    with pytest.raises(UsageError, match="nothing to send"):
        hear(talk(database).ask(""))
    with pytest.raises(core.errors.InputError):
        chat.attach("nope.png")
    hear(chat.ask("How many shapes are there?"))
    abandoned = chat.retry()
    next(abandoned)
    abandoned.close()
    chat.undo()
    assert (chat.turns, texts(chat), kept(database)) == (before[0], before[2], before[3])


def test_an_abandoned_turn_is_taken_back(chat: Conversation, database: Path) -> None:
    chat.attach(SHAPES)
    answering = chat.ask("How many shapes are there?")
    next(answering)
    assert kept(database) == ["How many shapes are there?"]  # it was sent
    answering.close()
    assert (chat.turns, len(chat.pending), kept(database)) == ([], 1, [])
    assert hear(chat.ask("How many shapes are there?")).text == "There are three shapes."


def test_what_does_not_fit_is_said_before_it_is_computed(database: Path) -> None:
    chat = talk(database, max_tokens=300)
    for number in range(2):
        chat.attach(SHAPES)
        notices = hear(chat.ask("How many shapes are there?")).notices
        assert any("trained on one picture" in notice for notice in notices) == (number == 1)
    chat.attach(SHAPES)
    notices = hear(chat.ask("How many shapes are there?")).notices
    (tight,) = [notice for notice in notices if "room for" in notice]
    assert "/drop" in tight
    chat.attach(SHAPES)
    with pytest.raises(core.errors.TooLong) as refused:
        hear(chat.ask("How many shapes are there?"))
    assert "/drop" in str(refused.value.hint)
    assert "/undo" in str(refused.value.hint)
    assert len(chat.turns) == 3
    assert len(chat.pending) == 1


def test_to_drop_a_picture_is_no_way_out_where_words_are_too_many(chat: Conversation) -> None:
    chat.attach(SHAPES)
    with pytest.raises(core.errors.TooLong) as refused:
        hear(chat.ask("word " * 2000))
    assert refused.value.hint == "shorten the text"


def test_the_oldest_turns_are_left_out(database: Path) -> None:
    chat = talk(database, max_tokens=40, context="drop-oldest")
    told = []
    for _ in range(5):
        chat.attach(SHAPES)
        told.append(hear(chat.ask("How many shapes are there?")).notices)
        assert texts(chat)[-1] == afresh(chat, max_tokens=40)
    assert told[0] == []
    assert told[-1] == ["the oldest turn is left out to make room, and so is [Image #2]"]
    assert [turn.left_out for turn in chat.turns] == [True, True, False, False, False]
    assert kept(database).count("How many shapes are there?") == 5


def test_settings_are_checked_as_the_flags_are(chat: Conversation) -> None:
    chat.set("top_p", "0.9")
    chat.set("stop", "###")
    chat.set("stop", "END")
    assert (chat.generation.top_p, chat.generation.stop) == (0.9, ["###", "END"])
    chat.set("stop", "none")
    chat.set("frames", "4")
    chat.set("fps", "2")
    assert (chat.generation.frames, chat.generation.fps, chat.generation.stop) == (None, 2.0, None)
    for name, value in [
        ("temperature", "-1"),
        ("temperature", "warm"),
        ("max-tokens", "0"),
        ("beams", "1.5"),
        ("heat", "1"),
    ]:
        with pytest.raises(UsageError) as refused:
            chat.set(name, value)
        assert refused.value.hint
    assert dict(chat.settings())["temperature"] == "0"


def test_it_is_kept_and_goes_on(chat: Conversation, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chat.set_system("Be brief.")
    chat.attach(SHAPES)
    hear(chat.ask("How many shapes are there?"))
    hear(chat.ask("Is there a star?"), stop_after=2)
    assert kept(database) == [
        "How many shapes are there?",
        "There are three shapes.",
        "Is there a star?",
        texts(chat)[1],
    ]
    found = Store.open(str(database)).load(str(chat.keeper.id))
    later = talk(database)
    assert later.resume(found) == []
    assert (texts(later), later.system) == (texts(chat), "Be brief.")
    assert later.turns[-1].finish_reason == "interrupted"
    assert later.generation.max_tokens == 48
    whole = hear(later.go_on()).text
    assert hear(later.ask("What colour is the circle?")).text == afresh(later, max_tokens=48)
    assert later.keeper.id == found.id
    said = list[str]()
    monkeypatch.setattr(chat.keeper, "_warn", said.append)
    assert hear(chat.retry()).text == whole
    assert chat.keeper.id != found.id  # another process has gone on with it meanwhile
    assert said == [f"another process went on with {found.id}; this one goes on as {chat.keeper.id}"]


def test_nothing_is_kept_unless_it_should_be(database: Path) -> None:
    chat = talk(database, keeping=False)
    hear(chat.ask("hello"))
    assert (chat.keeper.id, database.exists()) == (None, False)


def test_pictures_that_are_gone_or_changed_are_said(chat: Conversation, database: Path, tmp_path: Path) -> None:
    for name, picture in (("gone.png", SHAPES), ("changed.png", WIDE)):
        shutil.copy(picture, tmp_path / name)
        chat.attach(str(tmp_path / name))
    hear(chat.ask("How many shapes are there?"))
    (tmp_path / "gone.png").unlink()
    shutil.copy(SHAPES, tmp_path / "changed.png")
    later = talk(database)
    notices = later.resume(Store.open(str(database)).load(str(chat.keeper.id)))
    assert ["gone.png is no longer there" in notices[0], "changed.png has changed since" in notices[1]] == [True, True]
    heard = hear(later.ask("What colour is the circle?"))
    assert heard.done is not None
    assert [image.width for image in heard.done.images] == [480]
    assert later.turns[0].text == "How many shapes are there?"


def test_a_turn_without_an_answer_is_answered_by_retry_or_given_up(chat: Conversation, database: Path) -> None:
    """As a process that was killed leaves it."""
    hear(chat.ask("hello"))
    killed = [chat.ask("How many shapes are there?")]
    next(killed[0])
    for going_on in (Conversation.retry, lambda later: later.ask("and now?")):
        later = talk(database)
        assert "/retry answers it" in later.resume(Store.open(str(database)).load(str(chat.keeper.id)))[0]
        hear(going_on(later))
        assert len(later.turns) == 2
        assert kept(database)[-2:] == [later.turns[-1].text, texts(later)[-1]]
        later.undo()
        killed.append(later.ask("How many shapes are there?"))
        next(killed[-1])


def test_another_model_gets_the_whole_history(chat: Conversation) -> None:
    chat.attach(SHAPES)
    hear(chat.ask("How many shapes are there?"))
    assert chat.switch(chat.model) == []
    heard = hear(chat.ask("What colour is the circle?"))
    assert heard.done is not None
    assert (heard.done.usage.cached_tokens, heard.text) == (0, "The circle is red.")
    assert chat.tally.encoded == 2


def test_a_model_that_cannot_be_loaded_leaves_the_old_one(chat: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    hear(chat.ask("hello"))

    def fail(options: Any) -> core.Engine:
        if options.model is not None:
            raise core.errors.ModelMissing("no such model")
        return load(options)

    monkeypatch.setattr(chat, "_load", fail)
    before = chat.model
    with pytest.raises(core.errors.ModelMissing):
        chat.switch(type(before)(model="org/absent"))
    assert chat.model == before
    assert hear(chat.ask("hello")).text


def test_a_clip_is_refused_where_none_are_taken(chat: Conversation, tmp_path: Path) -> None:
    with pytest.raises(core.errors.CoreError):
        chat.attach(SHAPES, clip=True)
    assert chat.pending == []


def test_a_picture_without_a_file_is_kept_as_a_copy(chat: Conversation, database: Path) -> None:
    chat.attach_source(Source("clipboard", Path(SHAPES).read_bytes()))
    hear(chat.ask("How many shapes are there?"))
    later = talk(database)
    assert later.resume(Store.open(str(database)).load(str(chat.keeper.id))) == []
    heard = hear(later.ask("What colour is the circle?"))
    assert heard.text == "The circle is red."
    assert Store.open(str(database)).load(str(chat.keeper.id)).turns[0].attachments[0].stored is not None


def test_a_store_that_fails_is_told_once_and_the_chat_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    chat = talk(tmp_path / "file" / "sessions.db")
    told: list[str] = []
    chat.keeper._warn = told.append
    hear(chat.ask("hello"))
    hear(chat.ask("and now?"))
    assert len(chat.turns) == 2
    assert len(told) == 1
    assert told[0].startswith("from here on the conversation is not kept: ")


def test_labels_keep_their_numbers(chat: Conversation, database: Path) -> None:
    """A picture that is named once more is shown once more, and after a restart still."""
    for _ in range(2):
        chat.attach(SHAPES)
    album.drop(chat, 1)
    chat.attach(WIDE)
    hear(chat.ask("[Image #2] or [Image #3]?"))
    heard = hear(chat.ask("[Image #3] What is this?"))
    assert heard.done is not None
    assert [image.width for image in heard.done.images] == [480, 640, 640]
    later = talk(database)
    later.resume(Store.open(str(database)).load(str(chat.keeper.id)))
    assert [each.number for each in later.attachments] == [2, 3, 3]
    assert hear(later.retry()).text == hear(chat.retry()).text


def test_what_is_given_now_outranks_what_held_then() -> None:
    header = Header(
        model="org/then", revision="r", system="Be brief.", settings={"beams": 2, "max_tokens": 9, "odd": 1}
    )
    assert resumed_model(ModelOptions(), header) == ModelOptions(model="org/then", revision="r")
    assert resumed_model(ModelOptions(model="org/now"), header) == ModelOptions(model="org/now")
    settings = resumed_settings(GenerationOptions(max_tokens=5), header)
    assert settings == GenerationOptions(max_tokens=5, beams=2, system="Be brief.")
    broken = Header(model="org/then", settings={"temperature": "hot"})
    assert resumed_settings(GenerationOptions(), broken) == GenerationOptions()
