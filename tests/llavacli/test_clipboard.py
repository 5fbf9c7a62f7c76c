"""The clipboard by way of programs, which are stood in for; what is missing is named."""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from llavacli.failures import UsageError
from llavacli.repl import clipboard
from llavacli.repl.clipboard import copy, paste
from tests.llavacli.conftest import picture

PNG = picture("a.png")
Program = Callable[[str, str], None]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Put a shell script on the PATH, on which there is nothing else; no display and no SSH, but Linux."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("PATHEXT", ".exe")  # what programs end with, where the platform is Windows
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME", "TMUX", "SSH_CONNECTION", "SSH_TTY"):
        monkeypatch.delenv(name, raising=False)
    Path("picture.png").write_bytes(PNG)

    def put(name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
        (folder / name).chmod(0o755)

    return put


# A picture out of it


def test_wayland(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    program(
        "wl-paste",
        'case "$*" in --list-types) printf "text/plain\\nimage/jpeg\\nimage/png\\n";; *png) cat picture.png;; esac',
    )
    assert paste() == clipboard.Source("clipboard", PNG)


def test_x11(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    program(
        "xclip",
        '[ "$1 $2" = "-selection clipboard" ] || exit 1\n'
        'case "$4" in TARGETS) echo TIMESTAMP; echo image/png;; image/png) cat picture.png;; esac',
    )
    assert paste().content == PNG


def test_a_copied_file(program: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """File managers offer the path, often with the file's icon beside it."""
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    program(
        "wl-paste",
        'case "$*" in --list-types) echo image/png; echo text/uri-list;; '
        f"*uri-list) printf 'file://{tmp_path}/my%%20cat.jpg\\r\\n';; esac",
    )
    assert paste().content == f"{tmp_path}/my cat.jpg"


def test_macos(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    program("osascript", f"case \"$2\" in *furl*) exit 1;; *) echo '«data PNGf{PNG.hex().upper()}»';; esac")
    assert paste().content == PNG
    program("osascript", 'case "$2" in *furl*) echo /Users/me/cat.jpg;; *) exit 1;; esac')
    assert paste().content == "/Users/me/cat.jpg"
    program("osascript", "exit 1")
    program("pngpaste", '[ "$1" = - ] && cat picture.png')
    assert paste().content == PNG


def test_windows_and_wsl(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = base64.b64encode(PNG).decode()
    program("powershell.exe", f"printf '\\357\\273\\277{encoded}\\r\\n'")
    monkeypatch.setenv("WSL_DISTRO_NAME", "Ubuntu")
    assert paste().content == PNG
    program("powershell.exe", "printf 'file:C:\\\\Users\\\\me\\\\my cat.jpg\\r\\n'")
    assert paste().content == "/mnt/c/Users/me/my cat.jpg"
    monkeypatch.delenv("WSL_DISTRO_NAME")
    monkeypatch.setattr(sys, "platform", "win32")
    assert paste().content == r"C:\Users\me\my cat.jpg"
    program("powershell.exe", "echo something else!")
    with pytest.raises(UsageError, match="no picture on the clipboard"):
        paste()


@pytest.mark.parametrize("script", ["exit 1", "exit 0", "echo text/plain"])
def test_no_picture(program: Program, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    program("wl-paste", script)
    with pytest.raises(UsageError, match="no picture on the clipboard"):
        paste()


def test_no_program_is_named(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    monkeypatch.setenv("DISPLAY", ":0")
    with pytest.raises(UsageError) as raised:
        paste()
    assert raised.value.hint == "install wl-clipboard or xclip"
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(UsageError) as raised:
        paste()
    assert "pngpaste" in str(raised.value.hint)


def test_no_display(program: Program) -> None:
    with pytest.raises(UsageError, match="no display"):
        paste()


def test_a_program_that_hangs(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clipboard, "SECONDS", 0.2)
    monkeypatch.setenv("DISPLAY", ":0")
    program("xclip", "exec sleep 60")
    with pytest.raises(UsageError, match="xclip did not answer"):
        paste()


def test_a_program_that_cannot_run(program: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    (tmp_path / "bin" / "xclip").write_text("#!/no/such/interpreter\n")
    os.chmod(tmp_path / "bin" / "xclip", 0o755)
    with pytest.raises(UsageError, match="xclip cannot be run"):
        paste()


# Text into it

TEXT = "Zwei Katzen 🐈\n[red] \x1b[31m"


@pytest.mark.parametrize(
    ("platform", "variable", "name", "encoding"),
    [
        ("darwin", None, "pbcopy", "utf-8"),
        ("linux", "WAYLAND_DISPLAY", "wl-copy", "utf-8"),
        ("linux", "DISPLAY", "xclip", "utf-8"),
        ("linux", "DISPLAY", "xsel", "utf-8"),
        ("linux", "WSL_DISTRO_NAME", "clip.exe", "utf-16-le"),
        ("win32", None, "clip.exe", "utf-16-le"),
        ("linux", "TMUX", "tmux", "utf-8"),
    ],
)
def test_copy(
    program: Program, monkeypatch: pytest.MonkeyPatch, platform: str, variable: str | None, name: str, encoding: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    if variable is not None:
        monkeypatch.setenv(variable, "1")
    program(name, "cat > copied")
    assert copy(TEXT) == name
    assert Path("copied").read_bytes() == TEXT.encode(encoding)


def test_a_program_that_stays_does_not_keep_us(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under X11 the clipboard is served by whoever filled it."""
    monkeypatch.setenv("DISPLAY", ":0")
    program("xclip", "cat > copied; sleep 5 &")
    assert copy("text") == "xclip"
    assert Path("copied").read_text() == "text"


def test_the_next_program_where_one_fails(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYLAND_DISPLAY", "1")
    monkeypatch.setenv("DISPLAY", ":0")
    program("wl-copy", "exit 1")
    program("xclip", "cat > copied")
    assert copy(TEXT) == "xclip"


def test_the_terminal_where_there_is_no_program(program: Program) -> None:
    written: list[str] = []
    assert copy(TEXT, written.append) == "the terminal"
    (sequence,) = written
    assert sequence.startswith("\x1b]52;c;")
    assert sequence.endswith("\x07")
    assert base64.b64decode(sequence[7:-1]).decode() == TEXT


def test_the_terminal_over_ssh(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clipboard of the machine at the other end is not the user's."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")
    program("pbcopy", "cat > copied")
    written: list[str] = []
    assert copy(TEXT, written.append) == "the terminal"
    assert not Path("copied").exists()


def test_too_much_for_a_terminal(program: Program) -> None:
    written: list[str] = []
    with pytest.raises(UsageError, match="more than a terminal takes"):
        copy("a" * 100_000, written.append)
    assert not written


def test_neither_program_nor_terminal(program: Program) -> None:
    with pytest.raises(UsageError, match="no clipboard here"):
        copy(TEXT)


def test_half_of_a_character_is_replaced(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    program("xclip", "cat > copied")
    copy("a\ud800b")
    assert Path("copied").read_bytes() == b"a?b"
