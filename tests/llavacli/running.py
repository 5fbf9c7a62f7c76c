"""Processes that run llavacli, and waiting for them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

SCRIPTED = (sys.executable, "-m", "tests.llavacli.scripted")

Result = subprocess.CompletedProcess
Run = Callable[..., "Result[bytes]"]


def process(command: Sequence[str | bytes], **how: Any) -> Result[bytes]:
    """Run a command to its end; stdin is empty unless it is given."""
    given = {"stdin": subprocess.DEVNULL} if "input" not in how else {}
    return subprocess.run(command, **{**given, "capture_output": True, "timeout": 60, **how}, check=False)


def shell(command: str) -> Result[bytes]:
    """Run a command line in which `@` is llavacli over the scripted core."""
    return process(["bash", "-c", command.replace("@", " ".join(SCRIPTED))])


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
