"""What goes wrong becomes one line on stderr and the contract's exit code."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import llavacli_core as core
from llavacli.failures import EXIT_CODES, Failure, failure, overall
from tests.llavacli.running import Run


def test_every_error_of_the_core_has_an_exit_code() -> None:
    codes = {error.code for error in vars(core.errors).values() if isinstance(error, type)}
    assert codes == set(EXIT_CODES)


def test_an_option_out_of_range_is_told_with_where_it_may_be_set(ask: Run) -> None:
    """By the terminal: the core, which has never seen one, names the option alone."""
    with pytest.raises(core.errors.BadOption) as caught:
        core.Sampling(min_p=2)
    assert (caught.value.option, caught.value.hint) == ("min_p", None)
    result = ask("describe", "a.png", "--min-p", "2", script={"load": "fault"})
    assert result.returncode == 2
    assert result.stderr.endswith(b"(hint: --min-p, LLAVACLI_MIN_P or a config file sets it)\n")


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("input_missing", 4),
        ("input_unreadable", 4),
        ("input_too_large", 4),
        ("url", 4),
        ("template", 5),
        ("too_long", 6),
        ("out_of_memory", 6),
        ("option", 2),
        ("internal", 1),
        ("fault", 1),
    ],
)
def test_an_error_of_the_only_source(ask: Run, code: str, exit_code: int) -> None:
    result = ask("describe", "-q", "a.png", script={"fail": {"a.png": code}})
    assert (result.returncode, result.stdout) == (exit_code, b"")
    assert result.stderr.startswith(b"llavacli: error: ")
    assert result.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("model_missing", 5),
        ("model_unsupported", 5),
        ("model_broken", 5),
        ("template", 5),
        ("option", 2),
        ("out_of_memory", 6),
        ("fault", 1),
    ],
)
def test_an_error_of_the_model_comes_before_anything(ask: Run, code: str, exit_code: int) -> None:
    result = ask("describe", "-q", "a.png", "b.png", script={"load": code})
    assert (result.returncode, result.stdout) == (exit_code, b"")
    assert result.stderr.startswith(b"llavacli: error: ")
    assert result.stderr.count(b"\n") == 1


@pytest.mark.parametrize("code", ["input_unreadable", "too_long", "out_of_memory", "fault"])
def test_one_bad_source_of_several_does_not_end_the_run(ask: Run, code: str) -> None:
    result = ask("describe", "-q", "a.png", "b.png", script={"fail": {"a.png": code}})
    assert (result.returncode, result.stdout) == (3, b"==> b.png <==\nA red circle.\n")
    assert result.stderr.count(b"\n") == 1


def test_what_concerns_every_source_is_said_once(ask: Run) -> None:
    result = ask("describe", "-q", "a.png", "b.png", script={"fail": {"a.png": "option", "b.png": "option"}})
    assert (result.returncode, result.stderr.count(b"\n")) == (2, 1)


@pytest.mark.parametrize(
    ("codes", "asked", "exit_code"),
    [
        ([], 2, 0),
        (["input_missing"], 1, 4),
        (["input_missing", "url"], 2, 4),
        (["input_missing"], 2, 3),
        (["too_long", "out_of_memory"], 2, 6),
        (["input_missing", "too_long"], 2, 3),
    ],
)
def test_overall(codes: list[str], asked: int, exit_code: int) -> None:
    assert overall([Failure(code, "", None) for code in codes], asked) == exit_code


def test_the_computers_memory_counts_as_memory() -> None:
    assert failure(MemoryError()).code == "out_of_memory"


def test_debug_adds_the_traceback_and_ends_with_the_same_line(ask: Run) -> None:
    plain = ask("describe", "-q", "a.png", script={"load": "fault"}).stderr.decode()
    assert plain.startswith("llavacli: error: unexpected fault: RuntimeError: something broke (hint: ")
    traced = ask("describe", "-q", "--debug", "a.png", script={"load": "fault"}).stderr.decode()
    assert traced.startswith("Traceback (most recent call last):\n")
    assert traced.endswith(plain)


def test_a_message_stays_on_one_line(ask: Run, home: Path) -> None:
    result = ask("describe", b"no\n\x1b[2J\xe9.png")
    assert result.returncode == 4
    assert result.stderr == b"llavacli: error: no\\n\\x1b[2J\\xe9.png: no such file (hint: check the path)\n"


def test_warnings_are_said_unless_quiet(ask: Run) -> None:
    script = {"warnings": ["seen once only"]}
    assert b"llavacli: warning: a.png: seen once only\n" in ask("describe", "a.png", script=script).stderr
    assert ask("describe", "-q", "a.png", script=script).stderr == b""


@pytest.mark.parametrize("name", ["a.png", "two\nlines.png", "caf\udce9.png", f"{'x' * 240}.png"])
@pytest.mark.parametrize("command", ["describe", "caption"])
def test_a_source_is_named_once(ask: Run, home: Path, name: str, command: str) -> None:
    """Also where the core shows its name in another way."""
    os.rename("b.png", name)
    said = f"{core.shown(name)}: it is cut off"
    warned = ask(command, name, script={"warnings": [said]})
    assert warned.stderr.count(b"cut off") == 1
    assert f"\nllavacli: warning: {said}\n" in warned.stderr.decode()
    Path(name).write_bytes(b"no picture")
    with pytest.raises(core.errors.UnreadableInput) as caught:
        core.draw_marks(name, ())
    failed = failure(caught.value)
    assert failed.about(name) == failed


def test_a_source_without_a_name_is_shown_as_such(ask: Run) -> None:
    assert b"error: '': a source's name is empty (hint: " in ask("caption", "-q", "", "a.png").stderr


def test_a_failure_on_the_way_keeps_stdout_clean(ask: Run) -> None:
    result = ask("describe", "-q", "a.png", script={"fail_late": "out_of_memory"})
    assert (result.returncode, result.stdout) == (6, b"")
