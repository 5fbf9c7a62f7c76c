"""Config files: which value wins, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.llavacli.running import Run


def user_config(home: Path, text: str) -> None:
    from llavacli.settings import user_file

    user_file().parent.mkdir(parents=True)
    user_file().write_text(text)


def asked(ask: Run, home: Path, *args: str) -> dict[str, object]:
    """What the core was asked to load and generate."""
    log = home / "log"
    log.unlink(missing_ok=True)
    result = ask("describe", "a.png", *args, script={"log": str(log)})
    assert result.returncode == 0, result.stderr
    loaded, question = map(json.loads, log.read_text().splitlines())
    return loaded | question


def test_flag_over_variable_over_project_over_user_over_default(
    ask: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked(ask, home)["max_tokens"] is None  # the model's own, or 256
    user_config(home, "max-tokens = 1\ntemperature = 1\nmodel = 'org/user'\n[describe]\nmax-tokens = 2\nseed = 2")
    assert asked(ask, home)["max_tokens"] == 2
    Path("llavacli.toml").write_text("max_tokens = 3\nstop = ['x y']\n[describe]\nquiet = true\n")
    result = asked(ask, home)
    assert (result["max_tokens"], result["temperature"], result["seed"]) == (3, 1, 2)
    assert (result["model"], result["stop"]) == ("org/user", ["x y"])
    monkeypatch.setenv("LLAVACLI_MAX_TOKENS", "4")
    assert asked(ask, home)["max_tokens"] == 4
    assert asked(ask, home, "--max-tokens", "5")["max_tokens"] == 5
    assert asked(ask, home, "--max-tokens", "256")["max_tokens"] == 256  # a flag is a flag, default or not


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("max-tokens = ", "not valid TOML"),
        ("\x00", "not valid TOML"),
        ("max-tokns = 3", "unknown option 'max-tokns' (hint: did you mean 'max-tokens'?)"),
        ("dry-run = true", "dry-run is no option of every command (hint: write it below [describe])"),
        ("format = 'md'", "format is no option of every command (hint: write it below [sessions.export])"),
        ("mark = 'box:1,2,3,4'", "mark must be a list of strings, not 'box:1,2,3,4'"),
        ("[captions]\nx = 1", "[captions] names no command (hint: did you mean [caption]?)"),
        ("[nonsense]\nx = 1", "[nonsense] names no command (hint: there are caption, chat, "),
        ("describe = 3", "describe must be a table"),
        ("max-tokens = 'many'", "max-tokens must be a whole number, not 'many'"),
        ("max-tokens = 1.5", "max-tokens must be a whole number, not 1.5"),
        ("max-tokens = true", "max-tokens must be a whole number, not True"),
        ("temperature = '1'", "temperature must be a number, not '1'"),
        ("offline = 'yes'", "offline must be true or false, not 'yes'"),
        ("stop = 'x'", "stop must be a list of strings, not 'x'"),
        ("dtype = 'int8'", "dtype must be 'auto' or 'float32' or 'bfloat16' or 'float16', not 'int8'"),
        ("[describe]\nmodel = 3", "model must be a string, not 3"),
        ("[models]\ndevice = 'cpu'", "[models] holds device (hint: no models command takes it)"),
        ("[models]\noffline = true", "[models] holds offline (hint: options go into a command's table: [models.info])"),
        ("[models.nosuch]\nx = 1", "no command models nosuch (hint: there are ls, info, pull, verify, rm)"),
    ],
)
def test_a_bad_config_is_one_line_that_names_the_file(ask: Run, home: Path, text: str, line: str) -> None:
    Path("llavacli.toml").write_text(text)
    result = ask("describe", "a.png")
    assert result.returncode == 2
    said = result.stderr.decode()
    assert said.startswith("llavacli: error: llavacli.toml: ")
    assert line in said
    assert said.count("\n") == 1


def test_a_variable_that_sets_nothing_is_told(ask: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAVACLI_MAX_TOKNS", "3")
    monkeypatch.setenv("LLAVACLI_RECURSIVE", "1")  # another command's
    result = ask("describe", "a.png")
    assert (result.returncode, result.stdout) == (0, b"A red circle.\n")
    said = [line for line in result.stderr.decode().splitlines() if "LLAVACLI" in line]
    stranger = "the environment variable LLAVACLI_MAX_TOKNS sets no option"
    assert said == [f"llavacli: warning: {stranger} (did you mean LLAVACLI_MAX_TOKENS?)"]
    assert b"LLAVACLI" not in ask("describe", "-q", "a.png").stderr


def test_a_byte_order_mark_is_no_part_of_it(ask: Run, home: Path) -> None:
    Path("llavacli.toml").write_bytes(b"\xef\xbb\xbf[describe]\njson = true\n")
    assert json.loads(ask("describe", "a.png").stdout)["source"] == "a.png"


def test_a_bad_config_does_not_stop_help(ask: Run, home: Path) -> None:
    Path("llavacli.toml").write_text("nonsense")
    assert ask("describe", "--help").returncode == 0


def test_a_commands_own_table_takes_its_own_options(ask: Run, home: Path) -> None:
    Path("llavacli.toml").write_text("[describe]\ntogether = true\njson = true\n")
    assert json.loads(ask("describe", "a.png").stdout)["source"] == ["a.png"]


def test_mark_is_an_option_as_a_list_and_a_command_as_a_table(ask: Run, home: Path) -> None:
    def marks(*args: str) -> list[str]:
        (image,) = json.loads(ask("describe", "-q", "--json", "a.png", *args).stdout)["images"]
        return list(image.get("marks", []))

    Path("llavacli.toml").write_text("mark = ['box:1,2,3,4', 'point:5,6']\n[describe]\nquiet = true\n")
    assert marks() == ["box:1,2,3,4:red", "point:5,6:red"]
    assert marks("--mark", "point:7,8") == ["point:7,8:red"]
    Path("llavacli.toml").write_text("[mark]\nmark = ['box:1,2,3,4']\noutput = 'out.png'\n")
    assert marks() == []
    assert ask("mark", "b.png").returncode == 0
    assert Path("out.png").exists()
    Path("llavacli.toml").write_text("mark = ['box:1,2,3,4']\n")
    assert ask("mark", "b.png", "-o", "other.png").returncode == 0


@pytest.mark.parametrize("key", ["output", "force"])
def test_an_option_of_some_commands_is_told_their_tables(ask: Run, home: Path, key: str) -> None:
    Path("llavacli.toml").write_text(f"{key} = 'x'\n")
    result = ask("describe", "a.png")
    assert result.returncode == 2
    assert f"llavacli.toml: {key} is no option of every command (hint: write it below [mark]" in result.stderr.decode()


def test_a_config_that_cannot_be_read(ask: Run, home: Path) -> None:
    Path("llavacli.toml").mkdir()
    result = ask("describe", "a.png")
    assert result.returncode == 2
    assert b"llavacli.toml: not a regular file" in result.stderr


def test_a_config_that_would_never_end(ask: Run, home: Path) -> None:
    os.mkfifo("llavacli.toml")
    result = ask("describe", "a.png")
    assert result.returncode == 2
    assert b"llavacli.toml: not a regular file" in result.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("limit = -1", "in a config file: invalid value for '--limit': must be at least 1"),
        ("max-failures = 0", "in a config file: invalid value for '--max-failures': must be at least 1"),
        ("batch = 4", 'batch must be a string, not 4 (hint: write batch = "4")'),
    ],
)
def test_files_are_held_to_what_flags_take(ask: Run, home: Path, text: str, said: str) -> None:
    Path("llavacli.toml").write_text(f"[caption]\n{text}\n")
    result = ask("caption", "a.png", script={"load": "fault"})
    assert result.returncode == 2
    assert said in result.stderr.decode()
