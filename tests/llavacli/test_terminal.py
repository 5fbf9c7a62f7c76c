"""On a terminal: streamed as it comes, escaped, in colour."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import subprocess
import termios
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.llavacli.running import SCRIPTED


class Terminal:
    """llavacli on a pseudo-terminal of its own, and what has appeared on it."""

    def __init__(self, args: tuple[str | bytes, ...], *, stdout: bool = True, stderr: bool = False) -> None:
        self.master, slave = pty.openpty()
        tty.setraw(slave)  # no newline translation, no echo: what is written is what is read
        attributes = termios.tcgetattr(slave)
        attributes[3] |= termios.ISIG
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        self.process = subprocess.Popen(
            [*SCRIPTED, *args],
            stdin=slave,
            stdout=slave if stdout else subprocess.DEVNULL,
            stderr=slave if stderr else subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - so that Ctrl-C reaches it
        )
        os.close(slave)
        self.shown = b""
        self.hung_up = False

    def read(self) -> bytes:
        """What appears next; nothing when the process has gone."""
        assert select.select([self.master], [], [], 30)[0], "waited in vain"
        try:
            piece = os.read(self.master, 10_000)
        except OSError:
            return b""
        self.shown += piece
        return piece

    def wait_for(self, text: bytes) -> None:
        """Read until `text` has appeared."""
        while text not in self.shown:
            assert self.read(), self.shown

    def hang_up(self) -> None:
        """Close the window."""
        os.close(self.master)
        self.hung_up = True

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self.read():
            pass
        return self.process.wait(30)


@pytest.fixture
def terminal(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Terminal]]:
    opened = []

    def open_terminal(*args: str | bytes, script: dict[str, Any] | None = None, **streams: bool) -> Terminal:
        monkeypatch.setenv("SCRIPT", json.dumps(script or {}))
        opened.append(Terminal(args, **streams))
        return opened[-1]

    yield open_terminal
    for each in opened:
        each.process.kill()
        each.process.wait()
        if not each.hung_up:
            os.close(each.master)


def test_pieces_appear_as_they_come(terminal: Callable[..., Terminal], home: Path) -> None:
    script = {"pieces": ["A red", " circle.\n"], "wait": "answer", "ready": str(home / "ready")}
    screen = terminal("describe", "-q", "a.png", script=script)
    screen.wait_for(b"A red circle.")
    assert screen.process.poll() is None  # it is not done yet, and the words are there
    os.write(screen.master, b"\x03")  # Ctrl-C, as typed
    assert screen.end() == 130
    assert screen.shown == b"A red circle.\n"


def test_what_could_steer_the_terminal_is_shown_escaped(terminal: Callable[..., Terminal]) -> None:
    pieces = ["\x1b]0;title\x07", "\x1b[2J\x9b31m", "[red] [/INST]\r", "\u202eliaf\u202c\ttab\n\n", "end\n\n"]
    screen = terminal("describe", "-q", "a.png", script={"pieces": pieces})
    assert screen.end() == 0
    shown = "\\x1b]0;title\\x07\\x1b[2J\\x9b31m[red] [/INST]\\r\\u202eliaf\\u202c\ttab\n\nend\n"
    assert screen.shown.decode() == shown


def test_names_are_shown_escaped_and_headings_bold(terminal: Callable[..., Terminal]) -> None:
    name = b"\x1b[2J\ncaf\xe9[red].png"
    os.rename("a.png", name)
    screen = terminal("describe", "-q", name, "b.png", "nope.png")
    assert screen.end() == 3
    assert screen.shown == (
        b"\x1b[1m==> \\x1b[2J\\ncaf\\xe9[red].png <==\x1b[0m\nA red circle.\n\n"
        b"\x1b[1m==> b.png <==\x1b[0m\nA red circle.\n"
    )


@pytest.mark.parametrize("plain", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"LLAVACLI_COLOR": "never"}], ids=str)
def test_colour_can_be_refused(
    terminal: Callable[..., Terminal], monkeypatch: pytest.MonkeyPatch, plain: dict[str, str]
) -> None:
    for name, value in plain.items():
        monkeypatch.setenv(name, value)
    screen = terminal("describe", "a.png", "b.png", "nope.png", stderr=True)
    assert screen.end() == 3
    assert b"\x1b" not in screen.shown


def test_records_are_harmless_on_a_terminal(terminal: Callable[..., Terminal]) -> None:
    screen = terminal("describe", "-q", "--json", "a.png", script={"pieces": ["\x1b[2J\x9b\u202e\r\n"]})
    assert screen.end() == 0
    assert json.loads(screen.shown)["text"] == "\x1b[2J\x9b\u202e\r\n"
    assert all(character.isprintable() for character in screen.shown.decode()[:-1])


def test_a_terminal_is_not_read_for_a_picture(terminal: Callable[..., Terminal]) -> None:
    screen = terminal("describe", stderr=True)
    assert screen.end() == 2
    assert b"no picture given" in screen.shown


def test_a_download_has_a_bar_on_a_terminal(terminal: Callable[..., Terminal], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_DISABLE_PROGRESS_BARS", raising=False)
    screen = terminal("describe", "a.png", "-m", "org/absent[red]", stdout=False, stderr=True)
    assert screen.end() == 0
    assert b"org/absent[red]" in screen.shown
    assert b"200/200 bytes" in screen.shown


def test_the_terminal_hanging_up_ends_it(terminal: Callable[..., Terminal], home: Path) -> None:
    script = {"wait": "answer", "ready": str(home / "ready")}
    screen = terminal("describe", "-q", "a.png", script=script)
    screen.wait_for(b"A red circle.")
    screen.hang_up()
    assert screen.process.wait(30) == 129
