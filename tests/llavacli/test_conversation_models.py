"""Conversations with models of other abilities: captioners, and such as were trained on videos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import llavacli_core as core
from llavacli.failures import UsageError
from llavacli.options import ModelOptions
from llavacli.repl import album
from tests.llavacli.talking import SHAPES, WIDE, hear, talk


@pytest.fixture(scope="module")
def captioner(tmp_path_factory: pytest.TempPathFactory) -> core.Engine:
    from tests.parity.test_captions import small_files
    from tests.reference.captioners import BY_NAME, write

    folder = tmp_path_factory.mktemp("captioner")
    write(BY_NAME["vit+gpt2"], folder)
    small_files(folder)
    return core.load(folder, device="cpu", dtype="float32")


@pytest.fixture
def clip(tmp_path: Path) -> str:
    """An animation of four frames."""
    from PIL import Image

    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "lime", "blue", "white")]
    frames[0].save(tmp_path / "clip.gif", save_all=True, append_images=frames[1:])
    return str(tmp_path / "clip.gif")


def test_a_captioner_answers_picture_after_picture(captioner: core.Engine, tmp_path: Path) -> None:
    chat = talk(tmp_path / "sessions.db")
    chat._load = lambda _: captioner
    chat.attach(SHAPES)
    chat.attach(WIDE)
    with pytest.raises(UsageError, match="without a prompt"):
        hear(chat.ask("What is this?"))
    with pytest.raises(UsageError, match="no system prompt"):
        chat.set_system("Be brief.")
    captions = []
    while chat.waits:
        captions.append(hear(chat.ask("")).text)
    assert captions == [alone(captioner, SHAPES), alone(captioner, WIDE)]
    assert [turn.text for turn in chat.turns] == ["", ""]
    assert hear(chat.retry()).text == captions[1]
    chat.set("max-tokens", "3")
    hear(chat.retry())
    chat.set("max-tokens", "none")
    assert chat.turns[-1].finish_reason == "length"
    assert hear(chat.go_on()).text.startswith(captions[1])
    album.drop(chat, 1)
    assert len(chat.turns) == 1


def test_a_captioner_takes_a_picture_that_was_pasted(captioner: core.Engine, tmp_path: Path) -> None:
    """A pasted path comes as the text `[Image #1]`, which is no words."""
    chat = talk(tmp_path / "sessions.db")
    chat._load = lambda _: captioner
    chat.attach(SHAPES)
    assert hear(chat.ask("[Image #1]")).text == alone(captioner, SHAPES)
    assert [turn.text for turn in chat.turns] == [""]


def test_pictures_are_counted_anew_for_another_model(captioner: core.Engine, tmp_path: Path) -> None:
    chat = talk(tmp_path / "sessions.db")
    chat.attach(SHAPES)
    hear(chat.ask("How many shapes are there?"))
    chat.attach(WIDE)
    before = [each.described for each in chat.attachments]
    demo, chat._load = chat._load, lambda _: captioner
    chat.switch(ModelOptions(model="captioner"))
    assert [each.seen.tokens for each in chat.attachments if each.seen is not None] == [0, 0]
    chat._load = demo
    chat.switch(ModelOptions())
    assert [each.described for each in chat.attachments] == before


def test_a_captioners_pictures_do_not_come_back(captioner: core.Engine, tmp_path: Path) -> None:
    chat = talk(tmp_path / "sessions.db")
    chat._load = lambda _: captioner
    chat.attach(SHAPES)
    hear(chat.ask(""))
    assert (chat.undo(), chat.waits) == ([], False)


def alone(engine: core.Engine, picture: str) -> str:
    *_, done = engine.generate([core.Message("user", core.Image(picture))])
    assert isinstance(done, core.Done)
    return done.text


def test_clips_and_pictures_share_their_numbers(
    engine: Callable[[str], core.Engine], clip: str, tmp_path: Path
) -> None:
    chat = talk(tmp_path / "sessions.db", frames=2, max_tokens=4)
    chat._load = lambda _: engine("video")
    labels = [chat.attach(SHAPES).label, chat.attach(clip, clip=True).label]
    assert labels == ["[Image #1]", "[Video #2]"]
    heard = hear(chat.ask("")).done
    assert heard is not None
    assert len(heard.videos[0].frames) == 2
    chat.attach(clip, clip=True)
    chat.set("frames", "4")
    heard = hear(chat.ask("and now?")).done
    assert heard is not None
    assert [len(video.frames) for video in heard.videos] == [2, 4]
    assert [turn.attachments[-1].seen for turn in chat.turns] == list(heard.videos)


@pytest.mark.parametrize("to", ["demo", "captioner"])
def test_what_another_model_does_not_take_is_said(
    engine: Callable[[str], core.Engine], captioner: core.Engine, clip: str, tmp_path: Path, to: str
) -> None:
    def load(options: ModelOptions) -> Any:
        if options.model is None:
            return engine("video")
        return captioner if options.model == "captioner" else core.load("demo", device="cpu")

    chat = talk(tmp_path / "sessions.db", frames=2, max_tokens=4)
    chat._load = load
    chat.attach(clip, clip=True)
    hear(chat.ask("What is this?"))
    (told,) = chat.switch(ModelOptions(model=to))
    if to == "captioner":
        assert "sees nothing of the conversation so far" in told
        chat.attach(SHAPES)
        assert hear(chat.ask("")).done is not None
        return
    assert "takes no videos: take out [Video #1] with /drop" in told
    with pytest.raises(core.errors.InputError):
        hear(chat.ask("and now?"))
    album.drop(chat, 1)
    assert hear(chat.ask("and now?")).done is not None
