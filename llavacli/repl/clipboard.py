"""The clipboard: a picture out of it, text into it, by the programs that each system has for that."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llavacli.failures import UsageError
from llavacli.repl.lookup import path_of_url, state_of, wsl_path
from llavacli.sources import Source

NAME = "clipboard"  # what a picture from there is called
SECONDS = 10.0  # for a program to answer: PowerShell takes its time to start
OSC_52_LIMIT = 74_994  # bytes that terminals take in one sequence: xterm's limit, before base64
PICTURES = ("image/png", "image/jpeg", "image/webp", "image/tiff", "image/bmp", "image/gif")

_FINDER = "POSIX path of (the clipboard as «class furl»)"
_PASTEBOARD = "the clipboard as «class PNGf»"
_POWERSHELL = """
Add-Type -AssemblyName System.Windows.Forms, System.Drawing
[Console]::OutputEncoding = [Text.Encoding]::UTF8
$files = [Windows.Forms.Clipboard]::GetFileDropList()
if ($files.Count) { 'file:' + $files[0]; exit }
$image = [Windows.Forms.Clipboard]::GetImage()
if (-not $image) { exit }
$memory = New-Object IO.MemoryStream
$image.Save($memory, [Drawing.Imaging.ImageFormat]::Png)
[Convert]::ToBase64String($memory.ToArray())
"""


@dataclass(frozen=True)
class Way:
    """A program for the clipboard, what to install where it is missing, and how it is asked for a picture."""

    program: str
    package: str
    picture: Callable[[], Source | None]


def paste() -> Source:
    """The picture on the clipboard, or the file that was copied there.

    Raises UsageError if there is none, no program to ask (it says which to install), or one that does not answer.
    """
    ways = _ways()
    if not ways:
        raise UsageError(
            "there is no clipboard here: no display", hint="/image PATH attaches a file; so does dropping it"
        )
    present = [way for way in ways if shutil.which(way.program) is not None]
    if not present:
        names = " or ".join(way.package for way in ways)
        raise UsageError("no program here reads the clipboard", hint=f"install {names}")
    for way in present:
        found = way.picture()
        if found is not None:
            return found
    raise UsageError("there is no picture on the clipboard", hint="copy one, or attach a file: /image PATH")


def copy(text: str, write: Callable[[str], None] | None = None) -> str:
    """Put text on the clipboard; what took it.

    Without a program for that, or over SSH, the terminal is asked to (OSC 52, which it may ignore): `write` sends it
    an escape sequence, and is None where there is no terminal. Raises UsageError.
    """
    for command in _takers():
        if shutil.which(command[0]) is None:
            continue
        data = text.encode("utf-16-le" if command[0] == "clip.exe" else "utf-8", "replace")
        if _given(command, data):
            return command[0]
    data = text.encode("utf-8", "replace")
    if write is None:
        raise UsageError("there is no clipboard here", hint="install wl-clipboard, xclip or xsel")
    if len(data) > OSC_52_LIMIT:
        raise UsageError(
            f"{len(data)} bytes are more than a terminal takes to the clipboard",
            hint="install wl-clipboard or xclip, or write a file: /export md FILE",
        )
    write(f"\x1b]52;c;{base64.b64encode(data).decode()}\x07")
    return "the terminal"


def _ways() -> list[Way]:
    """How a picture may be had on this system, the best first."""
    powershell = Way("powershell.exe", "PowerShell", _from_windows)
    if sys.platform == "darwin":
        return [Way("osascript", "osascript", _from_finder), Way("pngpaste", "pngpaste", _from_pngpaste)]
    if sys.platform == "win32":
        return [powershell]
    ways = [powershell] if "WSL_DISTRO_NAME" in os.environ else []
    if os.environ.get("WAYLAND_DISPLAY"):
        ways.append(Way("wl-paste", "wl-clipboard", _from_wayland))
    if os.environ.get("DISPLAY"):
        ways.append(Way("xclip", "xclip", _from_x11))
    return ways


def _takers() -> list[Sequence[str]]:
    """Programs that take text on this system, the best first; over SSH, those that reach the user's own clipboard."""
    takers: list[Sequence[str]] = []
    remote = "SSH_CONNECTION" in os.environ or "SSH_TTY" in os.environ
    if not remote and sys.platform == "darwin":
        takers.append(["pbcopy"])
    if not remote and (sys.platform == "win32" or "WSL_DISTRO_NAME" in os.environ):
        takers.append(["clip.exe"])
    if not remote and os.environ.get("WAYLAND_DISPLAY"):
        takers.append(["wl-copy"])
    if os.environ.get("DISPLAY"):
        takers += [["xclip", "-selection", "clipboard"], ["xsel", "--clipboard", "--input"]]
    if os.environ.get("TMUX"):  # it would swallow the sequence, but hands it on itself
        takers.append(["tmux", "load-buffer", "-w", "-"])
    return takers


def _from_finder() -> Source | None:
    """A file that was copied in the Finder (its icon would be there as a picture, too), else the picture."""
    path = os.fsdecode(_asked("osascript", "-e", _FINDER)).removesuffix("\n")
    if path:
        return _file(path)
    hexadecimal = re.search(rb"PNGf([0-9A-Fa-f]+)", _asked("osascript", "-e", _PASTEBOARD))
    return None if hexadecimal is None else _picture(bytes.fromhex(hexadecimal[1].decode()))


def _from_pngpaste() -> Source | None:
    return _picture(_asked("pngpaste", "-"))


def _from_wayland() -> Source | None:
    types = os.fsdecode(_asked("wl-paste", "--list-types")).split()
    return _offered(types, lambda kind: _asked("wl-paste", "--no-newline", "--type", kind))


def _from_x11() -> Source | None:
    def read(kind: str) -> bytes:
        return _asked("xclip", "-selection", "clipboard", "-t", kind, "-o")

    return _offered(os.fsdecode(read("TARGETS")).split(), read)


def _from_windows() -> Source | None:
    """PowerShell's answer: a copied file's path, or a PNG in base64."""
    encoded = base64.b64encode(_POWERSHELL.encode("utf-16-le")).decode()
    answer = _asked("powershell.exe", "-NoProfile", "-NonInteractive", "-STA", "-EncodedCommand", encoded).strip()
    answer = answer.removeprefix(b"\xef\xbb\xbf")
    if answer.startswith(b"file:"):
        path = os.fsdecode(answer[5:])
        return _file(wsl_path(path) or path)
    try:
        return _picture(base64.b64decode(answer, validate=True))
    except ValueError:  # it said something else
        return None


def _offered(types: Sequence[str], read: Callable[[str], bytes]) -> Source | None:
    """The best of what the clipboard's owner offers: a file that was copied, or a picture."""
    if "text/uri-list" in types:
        urls = os.fsdecode(read("text/uri-list")).splitlines()
        path = next((path_of_url(url) for url in urls if url.startswith("file:")), None)
        if path:
            return _file(path)
    kind = next((kind for kind in PICTURES if kind in types), None)
    return None if kind is None else _picture(read(kind))


def _file(path: str) -> Source:
    """A file that was copied."""
    return Source(path, path, is_clip=state_of(path) == "video")


def _picture(data: bytes) -> Source | None:
    """The bytes as a source, if there are any."""
    return Source(NAME, data) if data else None


def _asked(*command: str) -> bytes:
    """What a program prints; nothing if it fails, which is how these say that there is nothing. Raises UsageError."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise UsageError(
            f"{command[0]} did not answer within {SECONDS:.0f} seconds",
            hint="the program that was copied from may hang",
        ) from error
    except OSError as error:
        raise UsageError(f"{command[0]} cannot be run: {error.strerror}", hint="attach a file: /image PATH") from error
    return done.stdout if done.returncode == 0 else b""


def _given(command: Sequence[str], data: bytes) -> bool:
    """Whether a program took the data. Some stay to serve it: they get no pipe of ours, and none of our Ctrl-C."""
    try:
        done = subprocess.run(
            command,
            input=data,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
