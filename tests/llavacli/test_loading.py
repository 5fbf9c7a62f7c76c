"""Which model is loaded, and what is said about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.llavacli.running import Run


def loaded(log: Path) -> list[str]:
    """What was downloaded or loaded, in order."""
    entries = map(json.loads, log.read_text().splitlines())
    return [f"{key} {entry[key]}" for entry in entries for key in ("download", "model") if key in entry]


def test_without_a_model_the_demo_answers_and_says_so_once(ask: Run, home: Path) -> None:
    result = ask("describe", "a.png", "b.png", script={"log": str(home / "log")})
    assert loaded(home / "log") == ["model demo"]
    assert result.stderr.count(b"\n") == 1
    assert b"demo" in result.stderr
    assert b"-m llava-hf/" in result.stderr
    assert ask("describe", "-q", "a.png").stderr == b""
    assert ask("describe", "-m", "demo", "a.png").stderr == b""


def test_a_model_that_is_not_here_is_downloaded_first(ask: Run, home: Path) -> None:
    result = ask("describe", "a.png", "-m", "org/absent", script={"log": str(home / "log")})
    assert loaded(home / "log") == ["download org/absent", "model org/absent"]
    assert result.stderr == b"llavacli: downloading org/absent\n"
    assert ask("describe", "-q", "a.png", "-m", "org/absent").stderr == b""


def test_offline_downloads_nothing(ask: Run, home: Path) -> None:
    ask("describe", "a.png", "-m", "org/absent", "--offline", script={"log": str(home / "log")})
    assert loaded(home / "log") == ["model org/absent"]


def test_a_model_that_does_not_exist_is_not_said_to_be_downloading(ask: Run, home: Path) -> None:
    result = ask("describe", "a.png", "-m", "org/absent", script={"unknown": True})
    assert result.returncode == 5
    assert result.stderr == b"llavacli: error: it is model_missing (hint: do something)\n"


def test_a_folder_below_the_home_folder(ask: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAVACLI_MODEL", "~/model")  # no shell has expanded it
    ask("describe", "a.png", script={"log": str(home / "log")})
    assert loaded(home / "log") == [f"model {home / 'home' / 'model'}"]


def test_verbose_tells_tokens_and_speed(ask: Run) -> None:
    result = ask("describe", "-qv", "a.png")
    assert result.stderr == (
        b"llavacli: a.png: 7 prompt tokens (5 for pictures), 2 new in 0.00 s (476.2 tokens/s), the first after 0.01 s\n"
    )
