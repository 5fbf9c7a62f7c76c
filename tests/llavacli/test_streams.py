"""Streams that are closed, full, deaf or of another locale."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from llavacli.streams import colored
from tests.llavacli.running import SCRIPTED, Run, shell

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")


@pytest.mark.parametrize("command", ["describe -q a.png b.png", "describe -q --json a.png b.png", "--help"])
def test_a_closed_pipe_is_quiet(home: Path, command: str) -> None:
    result = shell(f"exec 3> >(true); wait $!; @ {command} >&3")  # the reader is gone before anything is written
    assert (result.returncode, result.stderr) == (141, b"")


def test_the_run_ends_where_the_pipe_was_closed(home: Path) -> None:
    Path("script").write_text(json.dumps({"log": "log", "pieces": ["x" * 100_000]}))
    result = shell('export SCRIPT="$(cat script)"; @ describe -q a.png b.png a.png | head -c 9; exit ${PIPESTATUS[0]}')
    assert (result.returncode, result.stderr) == (141, b"")
    assert result.stdout == b"==> a.png"
    assert len(Path("log").read_text().splitlines()) < 4  # a load, and not all three questions


@needs_full
@pytest.mark.parametrize("command", ["describe -q a.png b.png", "describe -q --json a.png", "--help", "--version"])
def test_a_full_disk_is_said_in_one_line(home: Path, command: str) -> None:
    result = shell(f"@ {command} > /dev/full")
    assert result.returncode == 74
    assert result.stderr.startswith(b"llavacli: error: cannot write to standard output: No space left on device")
    assert result.stderr.count(b"\n") == 1


@pytest.mark.parametrize("command", ["describe -q a.png", "--help", "describe --help", "--version", "doctor"])
def test_closed_stdout(home: Path, command: str) -> None:
    result = shell(f"@ {command} >&-")
    assert result.returncode == 74
    assert result.stderr.startswith(b"llavacli: error: standard output is closed")
    assert result.stderr.count(b"\n") == 1


def test_closed_stderr(home: Path) -> None:
    result = shell("@ describe -v a.png 2>&-")
    assert (result.returncode, result.stdout) == (0, b"A red circle.\n")
    assert shell("@ describe nope.png 2>&-").returncode == 4
    assert shell("@ describe --nope 2>&-").returncode == 2
    assert shell("@ 2>&-").returncode == 2


@needs_full
def test_a_deaf_stderr_changes_nothing(home: Path) -> None:
    result = shell("@ describe -v a.png 2> /dev/full")
    assert (result.returncode, result.stdout) == (0, b"A red circle.\n")
    assert shell("@ 2> /dev/full").returncode == 2
    assert shell("@ sessions 2> /dev/full").returncode == 2


def test_everything_closed(home: Path) -> None:
    assert shell("@ describe a.png <&- >&- 2>&-").returncode == 74


@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LC_ALL": "POSIX"}, {"PYTHONIOENCODING": "latin-1"}], ids=str)
def test_output_is_utf_8_in_any_locale(scripted: Run, monkeypatch: pytest.MonkeyPatch, locale: dict[str, str]) -> None:
    for name, value in (locale | {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}).items():
        monkeypatch.setenv(name, value)
    script = {"pieces": ["Grüße ", "猫"], "warnings": ["schön"]}
    os.rename(b"a.png", "ä.png".encode())
    result = scripted("describe", "ä.png".encode(), "b.png", script=script)
    assert result.returncode == 0
    assert result.stdout == "==> ä.png <==\nGrüße 猫\n\n==> b.png <==\nGrüße 猫\n".encode()
    assert "b.png: schön".encode() in result.stderr


def test_a_pipe_gets_the_models_bytes_as_they_are(scripted: Run) -> None:
    text = "\x1b[31m[red]\r\x00" + "wide " * 100 + "\u202e[/INST]"
    assert scripted("describe", "-q", "a.png", script={"pieces": [text]}).stdout == text.encode() + b"\n"


def test_a_pipe_that_does_not_block_gets_everything(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIPT", json.dumps({"pieces": ["x" * 100_000]}))
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    process = subprocess.Popen([*SCRIPTED, "describe", "-q", "a.png"], stdout=writing, stdin=subprocess.DEVNULL)
    os.close(writing)
    with open(reading, "rb") as pipe:
        assert len(pipe.read()) == 100_001
    assert process.wait(60) == 0


@pytest.mark.parametrize(
    ("choice", "variables", "is_terminal", "expected"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colour(home: Path, monkeypatch: pytest.MonkeyPatch, choice, variables, is_terminal, expected) -> None:  # type: ignore[no-untyped-def]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert colored(choice, is_terminal) is expected


def test_colour_in_a_pipe_only_when_asked_for(scripted: Run) -> None:
    assert scripted("describe", "-q", "a.png", "b.png").stdout.count(b"\x1b") == 0
    forced = scripted("describe", "-q", "--color", "always", "a.png", "nope.png")
    assert forced.stdout.startswith(b"\x1b[1m==> a.png <==\x1b[0m\nA red circle.\n")
    assert forced.stderr.startswith(b"llavacli: \x1b[1;31merror:\x1b[0m nope.png: no such file")
