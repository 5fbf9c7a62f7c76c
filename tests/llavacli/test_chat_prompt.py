"""What Tab offers, what the status line tells, and where the history is kept."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llavacli.repl.completer import Known, last_word, offers
from llavacli.repl.history import history, history_file
from llavacli.repl.status import Status, status_line

KNOWN = Known(
    commands={"image": "Attach", "images": "List", "set": "Change", "drop": "Take out", "model": "The model"},
    settings=lambda: {"temperature": "0", "top-p": "none", "top-k": "none"},
    models=lambda begun: [name for name in ("demo", "org/name") if name.startswith(begun)],
    attachments=lambda: {1: "a.png", 12: "b.png"},
)


def completed(line: str) -> list[str]:
    """The lines that Tab makes of a line."""
    return [line[: offer.start] + offer.text for offer in offers(line, KNOWN)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/im", ["/image", "/images"]),
        ("/x", []),
        ("//im", []),
        ("hello /im", []),
        ("/set t", ["/set temperature", "/set top-p", "/set top-k"]),
        ("/set top-p ", ["/set top-p none"]),
        ("/set temperature 0", ["/set temperature 0"]),
        ("/set nothing ", []),
        ("/drop ", ["/drop 1", "/drop 12"]),
        ("/drop 12", ["/drop 12"]),
        ("/mark 12", ["/mark 12"]),
        ("/mark 1 po", ["/mark 1 point:", "/mark 1 polygon:"]),
        ("/mark b", ["/mark box:"]),
        ("/model o", ["/model org/name"]),
        ("/export m", ["/export md"]),
        ("/help se", ["/help set"]),
        ("what is it", []),
    ],
)
def test_commands_and_their_arguments(line: str, expected: list[str]) -> None:
    assert completed(line) == expected


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("cat.png", "my cat (1).png", "it's.png", ".hidden.png"):
        (tmp_path / name).touch()
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "dog.png").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/image ca", ["/image cat.png"]),
        ("/image x.png ca", ["/image x.png cat.png"]),
        ("/image my", ["/image my\\ cat\\ \\(1\\).png"]),
        ("/image my\\ c", ["/image my\\ cat\\ \\(1\\).png"]),
        ("/image 'my c", ["/image 'my cat (1).png'"]),
        ("/image it", ["/image it\\'s.png"]),
        ("/image .h", ["/image .hidden.png"]),
        ("/image pic", ["/image pictures/"]),
        ("/image pictures/", ["/image pictures/dog.png"]),
        ("/image ~/ca", ["/image ~/cat.png"]),
        ("/image nowhere/", []),
        ("what is @ca", ["what is @cat.png"]),
        ("what is ./ca", ["what is ./cat.png"]),
        ("what is ~/pic", ["what is ~/pictures/"]),
        ("what is ca", []),
        ("/export json pic", ["/export json pictures/"]),
    ],
)
def test_paths(folder: Path, line: str, expected: list[str]) -> None:
    assert completed(line) == expected


def test_a_path_from_the_root_is_no_command(folder: Path) -> None:
    assert completed(f"{folder}/ca") == [f"{folder}/cat.png"]


@given(st.text())
def test_any_line_can_be_completed(line: str) -> None:
    assert 0 <= last_word(line).start <= len(line)
    for offer in offers(line, KNOWN):
        assert offer.start <= len(line)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), min_size=1))
def test_the_last_word_is_the_shell_s(words: list[str]) -> None:
    import shlex

    assert last_word(shlex.join(words)).value == words[-1]


def test_the_status_line_leaves_out_what_does_not_fit() -> None:
    status = Status(model="org/name", used=1234, total=4096, speed=35.21, waiting=2)
    whole = "org/name · 1,234/4,096 tokens · 35.2 tokens/s · 2 attached"
    assert status_line(status, 80) == whole
    assert status_line(status, len(whole)) == whole
    assert status_line(status, len(whole) - 1) == "org/name · 1,234/4,096 tokens · 2 attached"
    assert status_line(status, 30) == "org/name · 2 attached"
    assert status_line(status, 4) == "org/"
    assert (
        status_line(Status(model="a\x1b[2J", used=0, total=4096, speed=None, waiting=0), 80)
        == "a\\x1b[2J · 0/4,096 tokens"
    )


def test_the_history_is_for_its_user_alone(home: Path) -> None:
    kept, problem = history(kept=True)
    assert problem is None
    kept.append_string("two\nlines")
    kept.append_string("one line")
    assert stat.S_IMODE(history_file().stat().st_mode) == 0o600
    again, _ = history(kept=True)
    assert list(again.load_history_strings()) == ["one line", "two\nlines"]


def test_without_a_history_there_is_no_file(home: Path) -> None:
    kept, _ = history(kept=False)
    kept.append_string("secret")
    assert not history_file().exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(home: Path) -> None:
    history_file().parent.mkdir(parents=True, mode=0o500)
    _, problem = history(kept=True)
    assert isinstance(problem, PermissionError)


def test_a_history_that_is_a_folder_is_none(home: Path) -> None:
    history_file().mkdir(parents=True)
    kept, problem = history(kept=True)
    assert isinstance(problem, IsADirectoryError)
    kept.append_string("for now")
