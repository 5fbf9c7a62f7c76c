"""Running llavacli as a process of its own: with the real core, or with one that answers from a script."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import llavacli_core as core
from tests.llavacli.chatting import Chat, Talk
from tests.llavacli.running import SCRIPTED, Result, Run, process, until

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with two pictures, and nothing in the environment that llavacli heeds."""
    for name in os.environ:
        if name.startswith(("LLAVACLI_", "XDG_")) or name in ("NO_COLOR", "FORCE_COLOR", "ACCESSIBLE", "COLUMNS"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.png"):
        Path(name).write_bytes(picture(name))
    return tmp_path


def picture(name: str) -> bytes:
    """The bytes of a small PNG file."""
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (40, 30), "red" if name == "a.png" else "blue").save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def here(home: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Run llavacli in this process: quick, where neither streams nor signals matter."""

    def run(*args: str | bytes) -> Result[bytes]:
        from llavacli.app import run
        from llavacli.signals import Stopper

        capfdbinary.readouterr()
        code = run([os.fsdecode(arg) for arg in args], Stopper())
        return Result(args, code, *capfdbinary.readouterr())

    return run


@pytest.fixture
def ask(here: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run llavacli over the scripted core in this process; `script` says what it does."""

    def run(*args: str | bytes, script: dict[str, Any] | None = None) -> Result[bytes]:
        from tests.llavacli.scripted import Script

        for name, function in Script(script or {}).functions().items():
            monkeypatch.setattr(core, name, function, raising=False)
        return here(*args)

    return run


@pytest.fixture
def scripted(home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run llavacli over the scripted core as a process of its own."""

    def run(*args: str | bytes, script: dict[str, Any] | None = None, **how: Any) -> Result[bytes]:
        monkeypatch.setenv("SCRIPT", json.dumps(script or {}))
        return process([*SCRIPTED, *args], **how)

    return run


@pytest.fixture
def started(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start llavacli over a scripted core that waits, and give the process once it has come to waiting."""
    running = []

    def start(*args: str, script: dict[str, Any], **how: Any) -> subprocess.Popen[bytes]:
        ready = home / "ready"
        monkeypatch.setenv("SCRIPT", json.dumps(script | {"ready": str(ready)}))
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen([*SCRIPTED, *args], **{**pipes, **how})
        running.append(process)
        until(ready.exists)
        return process

    yield start
    for each in running:
        each.kill()
        each.wait()


@pytest.fixture
def say(ask: Run, here: Run, tmp_path: Path) -> Iterator[Run]:
    """Run `chat` in this process with `lines` on stdin: over the real demo checkpoint, or the scripted core."""
    kept = os.dup(0)

    def run(*args: str | bytes, lines: bytes, script: dict[str, Any] | None = None) -> Result[bytes]:
        stdin = tmp_path / "stdin"
        stdin.write_bytes(lines)
        with stdin.open("rb") as file:
            os.dup2(file.fileno(), 0)
        return here("chat", *args) if script is None else ask("chat", *args, script=script)

    yield run
    os.dup2(kept, 0)
    os.close(kept)


@pytest.fixture
def piped(home: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start `chat` over the scripted core as a process, with pipes for its streams."""
    begun = []

    def start(*args: str, script: dict[str, Any]) -> subprocess.Popen[bytes]:
        environment = os.environ | {"SCRIPT": json.dumps({"ready": "ready", **script})}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        begun.append(subprocess.Popen([*SCRIPTED, "chat", *args], env=environment, **pipes))
        return begun[-1]

    yield start
    for each in begun:
        each.kill()
        each.communicate()


@pytest.fixture(scope="session")
def preloaded() -> None:
    """Load what every chat needs, once, in the process that they are forks of."""
    import prompt_toolkit  # noqa: F401
    import torch  # noqa: F401

    import llavacli.app

    assert llavacli.app.app
    assert core.load


@pytest.fixture
def talk(preloaded: None, home: Path) -> Iterator[Talk]:
    """Begin a chat on a terminal and wait for its prompt; pictures that the demo knows are in its folder."""
    begun: list[Chat] = []
    for source, name in (("shapes.png", "my shapes.png"), ("wide.png", "wide.png")):
        shutil.copy(ROOT / "examples" / source, home / name)

    def begin(*args: str, wait: bool = True, **how: Any) -> Chat:
        begun.append(Chat(*args, **how))
        if wait:
            begun[-1].wait_until(begun[-1].waits, "a prompt")
        return begun[-1]

    yield begin
    for chat in begun:
        chat.close()
