"""Files are written whole, whatever they are called; what is no file is written to. Stdin is read in any state."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llavacli.streams import OutputError
from llavacli.writing import write_file
from tests.llavacli.running import SCRIPTED, process, shell

MARK = "@ mark a.png --mark point:1,1"


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("output", ["/dev/stdout", "/dev/fd/1"])
def test_a_device_is_written_to(output: str) -> None:
    result = shell(f"{MARK} -o {output} | cat")
    assert result.stdout.startswith(b"\x89PNG"), result.stderr


@pytest.mark.usefixtures("home")
def test_a_process_is_written_to() -> None:
    result = shell(f"{MARK} -o >(head -c 4 > got); sleep 0.5; cat got")
    assert result.stdout == b"\x89PNG", result.stderr


@pytest.mark.parametrize("name", ["n" * 251 + ".png", "é" * 125 + ".png", "写" * 83 + ".png"])
def test_names_of_255_bytes(tmp_path: Path, name: str) -> None:
    write_file(str(tmp_path / name), b"data")
    assert os.listdir(tmp_path) == [name]
    assert (tmp_path / name).read_bytes() == b"data"


def test_a_link_is_followed_and_permissions_stay(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    write_file(str(link), b"new")
    assert (link.is_symlink(), target.read_bytes(), target.stat().st_mode & 0o777) == (True, b"new", 0o640)


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        write_file(str(tmp_path / "no folder" / "file"), b"data")
    with pytest.raises(OutputError):
        write_file(str(tmp_path), b"data")
    assert os.listdir(tmp_path) == []


def test_a_stdin_that_does_not_block_is_waited_for(home: Path) -> None:
    theirs, ours = os.pipe()
    os.set_blocking(theirs, False)
    running = subprocess.Popen(
        [*SCRIPTED, "describe", "-q", "-"], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    os.close(theirs)
    picture = Path("a.png").read_bytes()
    os.write(ours, picture[:20])
    assert running.poll() is None
    os.write(ours, picture[20:])
    os.close(ours)
    out, error = running.communicate(timeout=60)
    assert (running.returncode, out, error) == (0, b"A red circle.\n", b"")


@pytest.mark.skipif(sys.platform == "win32", reason="nohup is Unix's")
@pytest.mark.parametrize("command", ["describe", "caption", "chat"])
def test_a_stdin_that_cannot_be_read_is_one_line(home: Path, command: str) -> None:
    with open(os.devnull, "wb") as closed:  # as nohup leaves it
        result = process([*SCRIPTED, command, "-q", *(() if command == "chat" else ("-",))], stdin=closed)
    said = result.stderr.decode().splitlines()
    assert result.returncode not in (0, 1), said
    assert "stdin" in said[0], said
    assert "Traceback" not in result.stderr.decode()
