"""The command line: help, mistakes and what was meant, flags and their variables."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.llavacli.running import Run, process


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_begins_with_usage_and_examples(ask: Run, flag: str) -> None:
    for command in ([], ["describe"], ["mark"]):
        result = ask(*command, flag)
        assert result.returncode == 0
        assert not result.stderr
        text = result.stdout.decode()
        assert text.startswith("Usage: llavacli")
        assert 0 < text.index("Examples:") < text.index("--help")


def test_version(ask: Run) -> None:
    import llavacli_core as core

    assert ask("--version").stdout.decode() == f"llavacli {core.__version__}\n"


def test_without_a_command_the_help_goes_to_stderr(ask: Run) -> None:
    result = ask()
    assert result.returncode == 2
    assert not result.stdout
    assert b"Usage: llavacli" in result.stderr


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["descibe"], "no such command: descibe (hint: did you mean describe?)"),
        (["a.png"], "no such command: a.png (hint: to describe a picture: llavacli describe a.png)"),
        (["describe", "--modle", "x"], "no such option: --modle (hint: did you mean --model?)"),
        (["describe", "--tokens", "a.png"], "--tokens adds to records, and none were asked for (hint: add --json)"),
        (["describe", "--dtype", "int8", "a.png"], "'int8' is not one of 'auto', 'float32', 'bfloat16', 'float16'"),
        (["describe", "--max-tokens", "many", "a.png"], "invalid value for '--max-tokens'"),
        (["describe", "--max-tokens", "0", "a.png"], "max_tokens must be at least 1, not 0"),
        (["describe", "--max-tiles", "0", "a.png"], "max_tiles must be at least 1, not 0"),
        (["describe", "--stop", "", "a.png"], "a stop string must not be empty"),
        (["describe", "-p", b"caf\xe9", "a.png"], "--prompt is not valid UTF-8"),
        (["describe"], "no picture given (hint: "),
        (["describe", "-", "-"], "stdin can be read only once"),
    ],
    ids=lambda value: str(value[-1]) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_exit_2(ask: Run, args: list[str], line: str) -> None:
    result = ask(*args, script={"log": "log"})
    assert result.returncode == 2
    assert not result.stdout
    assert not Path("log").exists()  # no model was loaded for it
    said = result.stderr.decode().splitlines()
    assert said[-1].startswith("llavacli: error: ")
    assert line in said[-1]
    assert "Traceback" not in result.stderr.decode()


def test_a_bad_variable_is_named(ask: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAVACLI_MAX_TOKENS", "many")
    result = ask("describe", "a.png")
    assert result.returncode == 2
    assert b"LLAVACLI_MAX_TOKENS" in result.stderr


@pytest.mark.parametrize("flag", ["--stop", "-p", "--max-tokens"])
def test_a_flag_without_its_value_names_the_commands_own_help(ask: Run, flag: str) -> None:
    result = ask("describe", "a.png", flag)
    assert result.returncode == 2
    assert result.stderr.endswith(b"requires an argument (hint: see llavacli describe --help)\n")


def test_a_model_without_a_name_is_not_the_demo(ask: Run) -> None:
    result = ask("describe", "-q", "a.png", "-m", "")
    assert (result.returncode, b"--model is empty" in result.stderr) == (2, True)


def test_a_current_folder_that_is_gone_is_told_before_a_library_ends_all(home: Path) -> None:
    os.mkdir("gone")
    command = f"cd gone && rmdir ../gone && {sys.executable} -m llavacli describe -q {home}/a.png -m demo"
    result = process(["bash", "-c", command])
    assert result.returncode == 2
    assert result.stderr.endswith(b"error: the current folder is gone (hint: go to one that is there)\n")


def test_two_dashes_end_the_options(ask: Run) -> None:
    os.rename("a.png", "-q.png")
    assert ask("describe", "-q.png").returncode == 2
    result = ask("describe", "--", "-q.png")
    assert (result.returncode, result.stdout) == (0, b"A red circle.\n")


def test_every_flag_reaches_the_core(ask: Run, home: Path) -> None:
    log = home / "log"
    result = ask(
        *("describe", "a.png", "-m", "org/present", "--revision", "r1", "--template", "chatml", "--device", "cuda:1"),
        *("--dtype", "bfloat16", "--quant", "4bit", "--attention", "eager", "--offline"),
        *("--max-memory", "1=20GiB", "--max-memory", "cpu=50%"),
        *("-p", "What?", "-s", "Be brief."),
        *("--max-tokens", "9", "--temperature", "0.5", "--top-p", "0.9", "--top-k", "40", "--min-p", "0.1"),
        *(
            "--repetition-penalty",
            "1.2",
            "--beams",
            "2",
            "--length-penalty",
            "0.5",
            "--seed",
            "7",
            "--stop",
            "a b",
            "--stop",
            ".",
        ),
        script={"log": str(log)},
    )
    assert result.returncode == 0, result.stderr
    loaded, asked = map(json.loads, log.read_text().splitlines())
    assert loaded == {
        "model": "org/present",
        "revision": "r1",
        "template": "chatml",
        "device": "cuda:1",
        "dtype": "bfloat16",
        "quantize": "4bit",
        "attention": "eager",
        "max_memory": ["1=20GiB", "cpu=50%"],
        "offline": True,
    }
    assert asked == {
        "prompt": "What?",
        "parts": ["Image", "str"],
        "system": ["Be brief."],
        "max_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "min_p": 0.1,
        "repetition_penalty": 1.2,
        "beams": 2,
        "length_penalty": 0.5,
        "early_stopping": None,
        "no_repeat_ngram_size": None,
        "seed": 7,
        "stop": ["a b", "."],
    }


def test_quant_none_means_no_quantization(ask: Run, home: Path) -> None:
    log = home / "log"
    ask("describe", "a.png", "--quant", "none", script={"log": str(log)})
    assert json.loads(log.read_text().splitlines()[0])["quantize"] is None


def test_variables_stand_in_for_flags(ask: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = home / "log"
    monkeypatch.setenv("LLAVACLI_MODEL", "org/present")
    monkeypatch.setenv("LLAVACLI_MAX_TOKENS", "5")
    monkeypatch.setenv("LLAVACLI_STOP", "the end\n###")
    monkeypatch.setenv("LLAVACLI_OFFLINE", "1")
    result = ask("describe", "a.png", "--max-tokens", "6", script={"log": str(log)})
    assert (result.returncode, result.stderr) == (0, b"")
    loaded, asked = map(json.loads, log.read_text().splitlines())
    assert (loaded["model"], loaded["offline"]) == ("org/present", True)
    assert (asked["max_tokens"], asked["stop"]) == (6, ["the end", "###"])


def test_a_dash_is_a_prompt_like_any_other(ask: Run, home: Path) -> None:
    log = home / "log"
    ask("describe", "a.png", "-p", "-", script={"log": str(log)})
    assert json.loads(log.read_text().splitlines()[1])["prompt"] == "-"
