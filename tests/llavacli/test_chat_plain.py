"""`chat` where stdin is no terminal: a turn per line, an answer per turn, and nothing that ends it but its end."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.llavacli.running import Result, process, until

Say = Callable[..., "Result[bytes]"]
MAIN = (sys.executable, "-m", "llavacli")


def records(result: Result[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_record_for_each_turn(say: Say) -> None:
    result = say("--json", "a.png", lines=b"hello\nand now?\n", script={})
    assert result.returncode == 0
    first, second = records(result)
    assert (first["source"], second["source"]) == (["a.png"], None)
    assert [each["source"] for each in second["images"]] == ["a.png"]
    assert (first["prompt"], second["prompt"]) == ("hello", "and now?")
    assert (first["timing_ms"]["load"], second["timing_ms"]["load"]) == (7, 0)
    assert list(first)[:6] == ["schema", "status", "source", "images", "videos", "prompt"]


def test_an_answer_for_each_turn(say: Say) -> None:
    result = say(lines=b"hello\n\n \t\r\nand now?", script={"pieces": ["two\n", "lines\n\n"]})
    assert (result.returncode, result.stdout) == (0, b"two\nlines\ntwo\nlines\n")


def test_nothing_asked_is_nothing_answered(say: Say) -> None:
    result = say("a.png", lines=b"", script={})
    assert (result.returncode, result.stdout) == (0, b"")


def test_the_prompt_is_the_first_turn(say: Say) -> None:
    result = say("-p", "What?", "--json", "a.png", lines=b"and now?\n", script={})
    assert [(each["prompt"], each["source"]) for each in records(result)] == [("What?", ["a.png"]), ("and now?", None)]


@pytest.mark.parametrize(
    ("line", "code"), [(b"caf\xe9", "input_unreadable"), (b"x" * (2**25 + 5), "input_too_large")], ids=["bytes", "long"]
)
def test_a_line_that_cannot_be_read_is_one_bad_turn(say: Say, line: bytes, code: str) -> None:
    result = say("--json", lines=b"hello\n" + line + b"\nand now?\n", script={})
    assert result.returncode == 3
    assert [each["status"] for each in records(result)] == ["ok", "error", "ok"]
    assert records(result)[1]["error"]["code"] == code
    assert result.stderr.count(b"error:") == 1


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"])
def test_a_picture_on_stdin_is_no_question(say: Say, kind: str) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(picture, kind)
    result = say("-q", lines=picture.getvalue(), script={})
    assert result.returncode == 4
    assert result.stderr.startswith(b"llavacli: error: stdin is a picture, and questions are expected there (hint: ")
    assert result.stderr.count(b"\n") == 1
    assert say("-q", lines=b"BMW: \xc3\xa4?\nGIF89a\n", script={}).returncode == 0


def test_a_line_of_a_million_characters_does_not_fit(say: Say) -> None:
    result = say("--json", lines=b"ab " * 333_334 + b"\nhello\n")
    assert result.returncode == 3
    bad, good = records(result)
    assert (bad["error"]["code"], good["status"]) == ("too_long", "ok")
    assert "shorten the text" in bad["error"]["hint"]


def test_a_bad_picture_spoils_one_turn_only(say: Say) -> None:
    """One that is there but broken is said when it is named, and the turn that follows has none."""
    Path("broken.png").write_bytes(b"no picture")
    result = say("--json", lines=b"/image broken.png\nhello\n")
    assert result.returncode == 3
    assert b"broken.png" in result.stderr
    (record,) = records(result)
    assert (record["status"], record["images"]) == ("ok", [])


def test_an_error_of_a_turn_takes_its_pictures_along(say: Say) -> None:
    result = say("--json", "--context", "error", "a.png", lines=b"one two three\nhello\n", script={"positions": 8})
    assert result.returncode == 3
    bad, good = records(result)
    assert (bad["source"], bad["error"]["code"]) == (["a.png"], "too_long")
    assert (good["source"], good["images"]) == (None, [])


def test_without_a_model_the_first_turn_ends_it(say: Say) -> None:
    result = say("--json", lines=b"hello\nand now?\n", script={"load": "model_missing"})
    assert result.returncode == 5
    assert [each["error"]["code"] for each in records(result)] == ["model_missing"]


def test_a_missing_source_is_told_before_anything_is_loaded(say: Say, tmp_path: Path) -> None:
    result = say("nope.png", lines=b"hello\n", script={"log": str(tmp_path / "log")})
    assert (result.returncode, result.stdout) == (4, b"")
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-"], b"stdin brings what is said"),
        (["--tokens"], b"add --json"),
        (["-c", "--session", "x"], b"exclude each other"),
        (["-c"], b"no conversation is kept yet"),
        (["--session", "20200101-zzzz"], b"no conversations are kept"),
        (["--context", "never"], b"context"),
    ],
)
def test_usage(say: Say, arguments: list[str], said: bytes) -> None:
    result = say(*arguments, lines=b"hello\n", script={})
    assert (result.returncode, result.stdout) == (2, b"")
    assert said in result.stderr
    assert result.stderr.count(b"\n") == 1


def test_a_captioner_answers_each_picture(say: Say) -> None:
    """Each is a turn of its own; words are an error, and the pictures that follow are still captioned."""
    result = say("--json", "a.png", "b.png", lines=b"hello\n/image a.png b.png\n", script={"captioner": True})
    assert result.returncode == 3
    told = [(each["status"], each["source"], len(each["images"]), each["prompt"]) for each in records(result)]
    assert told == [
        ("ok", ["a.png"], 1, None),
        ("ok", ["b.png"], 1, None),
        ("error", None, 0, "hello"),
        ("ok", ["a.png"], 1, None),
        ("ok", ["b.png"], 1, None),
    ]


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_what_is_said(piped: Callable[..., Any], signum: int, code: int) -> None:
    chat = piped("--json", script={"wait": "answer"})
    chat.stdin.write(b"hello\nand now?\n")
    chat.stdin.flush()
    until(Path("ready").exists)
    chat.send_signal(signum)
    out, err = chat.communicate(timeout=30)
    assert chat.returncode == code
    (record,) = map(json.loads, out.splitlines())
    assert (record["status"], record["text"]) == ("interrupted", "A red circle.")
    assert b"Traceback" not in err


def test_a_signal_while_it_waits_for_a_line(piped: Callable[..., Any]) -> None:
    chat = piped(script={})
    chat.stdin.write(b"hello\n")
    chat.stdin.flush()
    assert chat.stdout.readline() == b"A red circle.\n"  # at once, though stdin is still open
    time.sleep(0.3)  # what comes just before a read begins is noticed when the read ends
    chat.send_signal(signal.SIGINT)
    chat.wait(timeout=30)
    assert chat.returncode == 130


def test_the_reader_may_go(home: Path) -> None:
    chat = subprocess.Popen(
        [*MAIN, "chat", "-q"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert chat.stdin is not None
    assert chat.stdout is not None
    assert chat.stderr is not None
    chat.stdout.close()
    chat.stdin.write(b"hello\nand now?\n")
    chat.stdin.close()
    assert chat.stderr.read() == b""
    chat.stderr.close()
    assert chat.wait(timeout=60) == 141


def test_a_full_disk_is_told(home: Path) -> None:
    with open("/dev/full", "wb") as full:
        result = process(
            [*MAIN, "chat", "-q"], input=b"hello\n", capture_output=False, stdout=full, stderr=subprocess.PIPE
        )
    assert result.returncode == 74
    assert result.stderr.count(b"\n") == 1


def test_model_text_is_exact_in_records_and_in_pipes(say: Say) -> None:
    nasty = "\x1b[2J[red] [/INST] \u202e \x9b31m"
    result = say("--json", lines=b"hello\n", script={"pieces": [nasty]})
    assert records(result)[0]["text"] == nasty
    assert b"\x1b" not in result.stdout
    assert say(lines=b"hello\n", script={"pieces": [nasty]}).stdout == nasty.encode() + b"\n"


@pytest.mark.slow
def test_killed_at_any_moment_no_earlier_turn_is_lost(say: Say, home: Path, random_pauses: list[float]) -> None:
    """Twenty times, with the real model: what was answered is there afterwards, and the database is whole."""
    assert say("-q", lines=b"hello\n").returncode == 0  # all that a chat imports is there before the forks
    for pause in random_pauses:
        pid, told = killed_after(pause)
        with closing(sqlite3.connect("home/.local/share/llavacli/sessions.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            newest = "SELECT id FROM sessions ORDER BY rowid DESC LIMIT 1"
            rows = database.execute(
                f"SELECT text FROM turns WHERE session = ({newest}) AND role = 'assistant'"
            ).fetchall()
        kept = [text for (text,) in rows]
        assert kept[: len(told)] == told, pid
        assert len(kept) <= len(told) + 1, pid  # kept before it was told


@pytest.fixture
def random_pauses() -> list[float]:
    return [random.Random(number).uniform(0, 0.25) for number in range(20)]


def killed_after(seconds: float) -> tuple[int, list[str]]:
    """Fork a chat, have its first answer, kill it so many seconds later; its id, and all the answers it told."""
    lines, told = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(lines[0], 0)
        os.dup2(told[1], 1)
        from llavacli.app import run
        from llavacli.signals import Stopper

        os.closerange(3, 64)
        run(["chat", "-q"], Stopper())
        os._exit(0)
    os.close(lines[0])
    os.close(told[1])
    os.write(lines[1], b"first\n" + b"and now?\n" * 12)
    with os.fdopen(told[0], "rb") as answers:
        said = answers.readline()
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
        said += answers.read()
    os.close(lines[1])
    os.waitpid(pid, 0)
    return pid, [answer.decode() for answer in said.split(b"\n")[:-1]]


def test_that_nothing_is_kept_is_said_even_under_quiet(say: Say, home: Path) -> None:
    (home / "home").touch()  # where folders of the user's own would be
    result = say("-q", "a.png", lines=b"one\ntwo\n", script={})
    assert result.stdout == b"A red circle.\n" * 2
    assert result.stderr.startswith(b"llavacli: warning: from here on the conversation is not kept: ")
    assert result.stderr.count(b"\n") == 1
