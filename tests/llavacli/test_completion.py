"""Shell completion of commands, flags, choices and model names."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import llavacli_core as core
from llavacli.completion import mark_shapes, model_names
from tests.llavacli.running import process


@pytest.fixture
def models(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache and a folder with a model each."""
    monkeypatch.setenv("HF_HOME", str(home / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    (home / "hf" / "hub" / "models--llava-hf--llava-1.5-7b-hf").mkdir(parents=True)
    (home / "hf" / "hub" / "datasets--org--set").mkdir()
    (home / "work" / "mine").mkdir(parents=True)
    (home / "work" / "mine" / "config.json").touch()
    return home


def test_names_of_models(models: Path) -> None:
    assert {"demo", "llava-1.5-7b", "llava-hf/llava-1.5-7b-hf"} <= set(model_names(""))
    assert model_names("llava-hf/") == ["llava-hf/llava-1.5-7b-hf"]
    assert model_names("work/m") == ["work/mine"]
    assert model_names("./") == []  # paths are the shell's own
    assert not [name for name in model_names("") if "set" in name]


def test_shapes_of_marks() -> None:
    assert mark_shapes("") == [f"{shape}:" for shape in core.Mark.SHAPES]
    assert mark_shapes("box:10") == []


def test_without_a_cache(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(home / "absent"))
    assert "demo" in model_names("")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("llavacli des", ["describe"]),
        ("llavacli describe --max", ["--max-memory", "--max-tokens", "--max-tiles"]),
        ("llavacli describe --dtype b", ["bfloat16"]),
        ("llavacli describe -m llava-hf/", ["llava-hf/llava-1.5-7b-hf"]),
        ("llavacli describe --mark p", ["point:", "polygon:"]),
        ("llavacli mark a.png --mark s", ["scribble:"]),
        ("llavacli describe a", []),  # nothing: the shell completes the path
    ],
)
def test_in_bash(models: Path, monkeypatch: pytest.MonkeyPatch, line: str, expected: list[str]) -> None:
    monkeypatch.setenv("_LLAVACLI_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split()) - 1))
    result = process([sys.executable, "-m", "llavacli"])
    assert (result.stdout.decode().split(), result.stderr) == (expected, b"")


def test_the_script_is_for_the_commands_name(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    result = process([sys.executable, "-m", "llavacli", "--show-completion", "bash"])
    assert result.returncode == 0
    assert b"complete -o default -F _llavacli_completion llavacli" in result.stdout


@pytest.mark.parametrize(
    "variables", [{}, {"COMP_WORDS": "llavacli desc", "COMP_CWORD": "x"}], ids=["none", "no number"]
)
def test_without_a_line_to_complete(home: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in {"_LLAVACLI_COMPLETE": "complete_bash", **variables}.items():
        monkeypatch.setenv(name, value)
    result = process([sys.executable, "-m", "llavacli"], text=True)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert "_LLAVACLI_COMPLETE is set" in result.stderr
