"""Where pictures come from; stdin is read when it is asked for or holds data, and never otherwise."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from llavacli import stdin
from tests.llavacli.running import SCRIPTED, Result, Run, process, shell


def record(result: Result[bytes]) -> dict[str, object]:
    assert result.returncode == 0, result.stderr
    return dict(json.loads(result.stdout))


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("args", [["-"], []], ids=["dash", "nothing"])
def test_a_picture_from_a_pipe(scripted: Run, args: list[str]) -> None:
    data = Path("a.png").read_bytes()
    answer = record(scripted("describe", "--json", *args, input=data))
    assert answer["source"] == "-"
    assert answer["images"] == [{"source": "-", "sha256": sha(data), "width": 4, "height": 3, "tiles": 1, "tokens": 5}]


@pytest.mark.parametrize("args", [["-"], []], ids=["dash", "nothing"])
def test_a_picture_from_a_redirected_file(scripted: Run, args: list[str]) -> None:
    with open("a.png", "rb") as file:
        answer = record(scripted("describe", "--json", *args, stdin=file))
    assert answer["source"] == "-"


def test_stdin_among_other_sources(scripted: Run) -> None:
    data = Path("b.png").read_bytes()
    result = scripted("describe", "a.png", "-", input=data)
    assert result.stdout == b"==> a.png <==\nA red circle.\n\n==> - <==\nA red circle.\n"


def test_an_open_pipe_is_left_alone_when_a_source_is_given(home: Path) -> None:
    """`while read f; do llavacli describe "$f"; done < list` must find its list whole."""
    reading, writing = os.pipe()
    os.write(writing, b"the rest of the list\n")
    result = process([*SCRIPTED, "describe", "a.png"], stdin=reading)
    assert result.returncode == 0
    assert os.read(reading, 100) == b"the rest of the list\n"
    os.close(writing)
    os.close(reading)


def test_neither_terminal_nor_pipe_is_not_read(home: Path) -> None:
    """A service's /dev/null or socket is no terminal either, and holds no picture: no hanging, a usage error."""
    ours, theirs = socket.socketpair()
    for given in (subprocess.DEVNULL, theirs.fileno()):
        result = process([*SCRIPTED, "describe"], stdin=given)
        assert (result.returncode, result.stdout) == (2, b"")
    ours.close()
    theirs.close()


@pytest.mark.parametrize("args", [["-"], []], ids=["dash", "nothing"])
def test_empty_stdin(scripted: Run, args: list[str]) -> None:
    result = scripted("describe", *args, input=b"")
    assert result.returncode == 4
    assert result.stderr.startswith(b"llavacli: error: stdin is empty (hint: ")


def test_closed_stdin(home: Path) -> None:
    for args, code in (("-", 4), ("", 2)):
        result = shell(f"@ describe {args} <&-")
        assert (result.returncode, result.stdout) == (code, b"")
        assert b"Traceback" not in result.stderr


def test_a_list_on_closed_stdin_is_no_empty_list(home: Path) -> None:
    """nohup leaves stdin open for writing alone."""
    for how in ("<&-", "0> other"):
        result = shell(f"@ caption -q --files-from - {how}")
        assert (result.returncode, result.stdout, result.stderr.count(b"\n")) == (4, b"", 1)
        assert b"stdin cannot be read" in result.stderr
        assert shell(f"@ describe - {how}").returncode == 4
    assert shell("@ caption -q --files-from - < /dev/null").returncode == 0


def test_a_name_that_is_too_long_is_said_to_be(ask: Run, home: Path) -> None:
    name = "x" * 300 + ".png"
    Path("list").write_text(f"{name}\na.png\n")
    for args in (["describe", "a.png", name], ["caption", "--files-from", "list"]):
        result = ask(*args)
        assert result.returncode == 3
        assert b".png: too long a name for the file system (hint: check the path" in result.stderr


def test_a_folder_that_is_too_deep_is_one_error(ask: Run, home: Path) -> None:
    Path("deep").mkdir()
    shutil.copy("a.png", "deep")
    os.chdir("deep")
    for _ in range(25):
        os.mkdir("x" * 200)
        os.chdir("x" * 200)
    os.chdir(home)
    result = ask("caption", "-q", "deep")
    assert (result.returncode, result.stdout) == (3, b"deep/a.png\tA red circle.\n")
    assert b"too long a name for the file system (hint: check the path, or name it from" in result.stderr


ODD_NAMES = [b"caf\xe9.png", b"two\nlines.png", b"\x1b[31mred.png", "\u202egnp.a".encode(), b"[red].png"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_file_name(ask: Run, name: bytes) -> None:
    os.rename("a.png", name)
    answer = record(ask("describe", "--json", name))
    assert os.fsencode(str(answer["source"])) == name
    result = ask("describe", "b.png", name)
    assert result.stdout.endswith(b"\n\n==> " + name + b" <==\nA red circle.\n")


@pytest.mark.parametrize("name", ["", "nope.png", "a.png/x", "."])
def test_what_is_no_file_is_said_before_a_model_is_loaded(ask: Run, home: Path, name: str) -> None:
    log = home / "log"
    result = ask("describe", name, script={"log": str(log)})
    assert (result.returncode, result.stdout) == (4, b"")
    assert result.stderr.startswith(b"llavacli: error: ")
    assert result.stderr.count(b"\n") == 1
    assert not log.exists()


@pytest.mark.parametrize("name", ["https://example.org/a.png", "file:///nope.png", "ftp://example.org/a.png"])
def test_urls_are_the_cores(ask: Run, name: str) -> None:
    result = ask("describe", name, script={"fail": {os.path.basename(name): "url"}})
    assert result.returncode == 4
    assert result.stderr.endswith(b"llavacli: error: it is url (hint: do something)\n")


@pytest.mark.parametrize("size", [10, 300_000])
def test_a_stdin_that_does_not_block_is_waited_for(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As programs that write to many at once open it; nothing yet is not the end, and half is not all."""
    data, (reading, writing) = os.urandom(size), os.pipe()
    os.set_blocking(reading, False)

    def write() -> None:
        time.sleep(0.05)
        with open(writing, "wb", buffering=0) as pipe:
            half = pipe.write(data[: size // 2])
            time.sleep(0.05)
            while half < size:
                half += pipe.write(data[half:])

    thread = threading.Thread(target=write)
    with open(reading, "rb") as opened:
        monkeypatch.setattr(sys, "__stdin__", opened)
        thread.start()
        assert stdin.read(10**6) == data
    thread.join()


def test_no_stdin_is_an_error_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "__stdin__", None)
    with pytest.raises(OSError, match="closed"):
        stdin.read(1)
