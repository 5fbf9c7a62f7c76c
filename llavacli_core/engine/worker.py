"""A process that opens pictures and videos for another, which may end it at any time, and must not outlive that one."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path

from llavacli_core.engine.opening import Opener
from llavacli_core.engine.prepared import Prepared, PreparedImage
from llavacli_core.engine.wire import Ended, receive, send
from llavacli_core.errors import CoreError, InputTooLarge, UnreadableInput
from llavacli_core.messages import Image, Video

READY = "ready"
GRACE_S = 5.0  # between when the parent ends a worker that takes too long and when it would end itself
PR_SET_PDEATHSIG = 1  # linux/prctl.h
OOM_SCORE = "500"  # of -1000..1000: of all processes, the kernel had better end this one


@dataclass(frozen=True)
class Orders:
    """What a worker is told first."""

    memory_bytes: int
    parent: int  # its process id


@dataclass(frozen=True)
class Job:
    """A picture or a video to open, called `name` in messages, and the seconds after which nobody waits any more."""

    opener: Opener
    part: Image | Video
    name: str
    seconds: float


def main() -> None:
    """Take orders and then jobs from stdin until it ends; whatever else writes to stdout or stderr goes nowhere."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ending is the parent's business
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the parent may ignore it
    with FileIO(os.dup(0)) as jobs, FileIO(os.dup(1), "wb") as answers:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        with suppress(Ended, BrokenPipeError):  # nobody asks, or listens, any more
            orders: Orders = receive(jobs)
            _die_with(orders.parent)
            _limit_memory(orders.memory_bytes)
            send(answers, READY)
            while True:
                job: Job = receive(jobs)
                signal.setitimer(signal.ITIMER_REAL, job.seconds + GRACE_S)  # with no parent left, too
                answer = opened(job)
                signal.setitimer(signal.ITIMER_REAL, 0)
                send(answers, answer)
                del job, answer  # an idle worker holds no pixels


def opened(job: Job) -> Prepared | CoreError:
    """The picture or the video without its source, which stays with those who asked; or what is wrong with it."""
    try:
        prepared = job.opener.open(job.part)
    except CoreError as error:
        return error
    except MemoryError:
        return too_large(job.name)
    except Exception as error:  # whatever it is, it came with this picture
        words = " ".join(str(error).split())
        return UnreadableInput(
            f"{job.name}: cannot be opened ({type(error).__name__}: {words})", hint="convert it to another format first"
        )
    if isinstance(prepared, PreparedImage):
        return replace(prepared, source=Image(b""))
    return replace(prepared, source=Video(b""))


def too_large(name: str) -> InputTooLarge:
    """What running out of memory comes to."""
    return InputTooLarge(f"{name}: opening it takes too much memory", hint="scale it down first")


def _die_with(parent: int) -> None:
    """Be killed when the parent dies, however it does: Linux alone offers that; elsewhere the end of stdin must do."""
    if sys.platform == "linux":
        import ctypes

        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before
        raise Ended


def _limit_memory(size: int) -> None:
    """Make allocations beyond `size` bytes fail.

    Counted is what may be written to. The whole address space would not do: each thread sets some aside that it never
    uses. Where there is no such limit (macOS), the kernel's own must do.
    """
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = size if most == resource.RLIM_INFINITY else min(size, most)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, wanted))
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))  # nobody wants a core file for each damaged picture
    if sys.platform == "linux":
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)
