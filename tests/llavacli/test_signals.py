"""SIGINT, SIGTERM, SIGHUP: what is done is kept, and the exit code says which it was."""

from __future__ import annotations

import fcntl
import json
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import IO

import pytest

from llavacli import signals
from tests.llavacli.running import SCRIPTED, until

Start = Callable[..., "subprocess.Popen[bytes]"]
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.mark.parametrize(("signum", "code"), SIGNALS)
def test_an_answer_under_way_is_kept(started: Start, signum: int, code: int) -> None:
    process = started("describe", "-q", "a.png", "b.png", script={"wait": "answer"})
    process.send_signal(signum)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (code, b"==> a.png <==\nA red circle.\n", b"")


def test_the_record_says_that_it_was_interrupted(started: Start) -> None:
    process = started("describe", "-q", "--json", "a.png", "b.png", script={"wait": "answer"})
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    record = json.loads(out)
    assert (record["status"], record["finish_reason"]) == ("interrupted", "interrupted")
    assert record["text"] == "A red circle."


@pytest.mark.parametrize("where", ["load", "prepare"])
@pytest.mark.parametrize(("signum", "code"), SIGNALS)
def test_before_the_answer_it_ends_quietly(started: Start, where: str, signum: int, code: int) -> None:
    process = started("describe", "-q", "a.png", script={"wait": where})
    process.send_signal(signum)
    assert process.communicate(timeout=30) == (b"", b"")
    assert process.returncode == code


def test_the_second_signal_ends_it_at_once(started: Start) -> None:
    """A core that hangs where it cannot see the first one."""
    process = started("describe", "-q", "a.png", script={"wait": "answer", "deaf": True})
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == (b"", b"")
    assert process.returncode == 130


def test_during_the_imports_it_ends_quietly(home: object) -> None:
    """However early it comes: Python's own start aside, no traceback."""
    code = (
        "import sys, time\n"
        "class Slow:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer': print('importing', flush=True); time.sleep(30)\n"
        "sys.meta_path.insert(0, Slow())\n"
        "from llavacli.__main__ import main\nmain()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30)[1] == b""
    assert process.returncode == 130


def test_what_swallows_the_exception_ends_all_the_same(started: Start) -> None:
    """As libraries do in destructors and callbacks."""
    process = started("describe", "-q", "a.png", script={"wait": "load", "deaf": True})
    process.send_signal(signal.SIGHUP)
    assert process.communicate(timeout=20) == (b"", b"")
    assert process.returncode == 129


@pytest.mark.parametrize(("signum", "code"), SIGNALS)
def test_before_the_first_word_nothing_is_waited_for(signum: int, code: int, home: Path) -> None:
    """A download that never ends, say."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a.png"
        command = [sys.executable, "-m", "llavacli", "describe", "-q", "-m", "demo", url]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        connection, _ = server.accept()
        with connection:
            connection.recv(1000)
            process.send_signal(signum)
            assert process.communicate(timeout=20) == (b"", b"")
    assert process.returncode == code


def test_a_batch_that_does_not_stop_is_not_waited_for(started: Start) -> None:
    """What it has under way is not kept anyhow; what is done is."""
    process = started("caption", "-q", "a.png", "nope.png", "-o", "out.jsonl", script={"wait": "answer", "deaf": True})
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20)[0] == b""
    assert process.returncode == 130
    assert [json.loads(line)["source"] for line in Path("out.jsonl").read_text().splitlines()] == ["nope.png"]


def test_the_second_signal_leaves_no_empty_file(started: Start) -> None:
    process = started("caption", "-q", "a.png", "-o", "out.jsonl", script={"wait": "answer", "deaf": True})
    assert Path("out.jsonl").exists()
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=30) == (b"", b"")
    assert process.returncode == 143
    assert not Path("out.jsonl").exists()


def test_before_our_own_handlers_are_there_it_ends_quietly(home: object) -> None:
    """Python's would leave a traceback."""
    code = (
        "import os, sys, signal\n"
        "class Sent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'llavacli.signals': os.kill(os.getpid(), signal.SIGINT)\n"
        "from llavacli.__main__ import main\n"
        "sys.meta_path.insert(0, Sent())\nmain()"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30, check=False)
    assert (process.returncode, process.stdout, process.stderr) == (-signal.SIGINT, b"", b"")  # 130, to a shell


def test_while_reading_stdin_it_ends_quietly(home: object) -> None:
    process = subprocess.Popen([*SCRIPTED, "describe", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(b"the beginning of a picture")
    process.stdin.flush()
    until(lambda: left_in(process.stdin) == 0)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30)[1] == b""
    assert process.returncode == 130


def test_a_signal_that_is_ignored_on_purpose_stays_ignored(home: Path, started: Start) -> None:
    """As `nohup` has it."""
    process = started("describe", "-q", "a.png", script={"wait": "answer"}, preexec_fn=_ignore_hangup)
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=30)[0] == b"A red circle.\n"
    assert process.returncode == 143


def left_in(pipe: IO[bytes] | None) -> int:
    """Bytes that nobody has read yet."""
    assert pipe is not None
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def _ignore_hangup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def test_in_the_midst_of_an_import_it_leaves_without_raising(monkeypatch: pytest.MonkeyPatch) -> None:
    """There an exception may be swallowed, or leave a lock held."""
    left: list[int] = []
    monkeypatch.setattr(signals, "leave_at_once", left.append)
    stopper = signals.Stopper()
    stopper.restore = lambda: left.append(0) or 1 / 0  # type: ignore[func-returns-value]
    system = SimpleNamespace(f_code=SimpleNamespace(co_filename="<frozen importlib._bootstrap>"))
    importing = SimpleNamespace(f_code=SimpleNamespace(co_filename="torch/__init__.py"), f_back=system)
    with pytest.raises(ZeroDivisionError):  # as the stand-in for leaving comes back
        stopper._signalled(signal.SIGINT, importing)  # type: ignore[arg-type]
    assert left == [0, 130]
