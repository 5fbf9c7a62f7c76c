"""One worker as its parent sees it: a process that is asked, watched, ended, and started anew."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import Executor
from contextlib import suppress
from io import FileIO
from typing import cast

from llavacli_core.engine.prepared import Prepared
from llavacli_core.engine.wire import Ended, Late, receive, send
from llavacli_core.engine.worker import READY, Job, Orders, too_large
from llavacli_core.errors import CoreError, UnreadableInput

MODULE = "llavacli_core.engine.worker"
START_S = 60.0
PIPE_BYTES = 2**18  # with Linux's default of 64 KB the two processes take turns a hundred times a picture
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # no pools of threads that nothing uses
CONVERT = "convert it to another format first"


class Closed(CoreError):
    """The workers were ended while someone waited for them."""

    def __init__(self) -> None:
        super().__init__("the workers that open pictures were ended")


class Hired:
    """A worker, its process started anew whenever that has died. Used by one thread at a time, but for `cancel`."""

    def __init__(self, orders: Orders, starter: Executor) -> None:
        self._orders, self._starter = orders, starter
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ready = self._is_cancelled = False

    def start(self) -> None:
        """Start a process, in the starter's thread, and wait for nothing. Raises CoreError if there can be none."""
        try:
            self._process = self._starter.submit(_process).result()
        except OSError as error:
            raise _not_started(error.strerror or str(error)) from error
        self._is_ready = False
        _widen(self._answers)
        with suppress(BrokenPipeError):  # it is dead already, which is noticed soon enough
            send(self._jobs, self._orders)

    def ask(self, job: Job) -> Prepared | CoreError:
        """What opening came to, whatever happens to the process. Raises CoreError if there can be none."""
        if not (self._await_ready() or self._await_ready()):  # one may have been killed while it started
            raise _not_started("it says nothing")
        answer = self._asked(job)
        if self._process is None and not self._is_cancelled:
            with suppress(CoreError):  # the next one hears of it, should that fail again
                self.start()
        return answer

    def cancel(self) -> None:
        """Kill the process under another thread's hands, which gets no answer then."""
        self._is_cancelled = True
        process = self._process
        if process is not None:
            process.kill()

    def end(self) -> int | None:
        """Kill the process; its exit code, which is its own if it had died before."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.kill()
        with process:  # closes the pipes
            return process.wait()

    @property
    def _jobs(self) -> FileIO:
        assert self._process is not None
        return cast(FileIO, self._process.stdin)

    @property
    def _answers(self) -> FileIO:
        assert self._process is not None
        return cast(FileIO, self._process.stdout)

    def _await_ready(self) -> bool:
        """Whether a process takes jobs; where there is none, one is started. The time this takes is no picture's."""
        if self._process is None or self._process.poll() is not None:  # killed while it had nothing to do
            self.end()
            self.start()
        if self._is_cancelled:  # asked after the start, so that `cancel` has killed this process, or is yet to come
            raise Closed
        try:
            self._is_ready = self._is_ready or receive(self._answers, START_S) == READY
        except (Ended, Late):
            self.end()
        return self._is_ready

    def _asked(self, job: Job) -> Prepared | CoreError:
        """The answer to a job; without one, the process is ended."""
        late = UnreadableInput(f"{job.name}: opening it takes more than {job.seconds:g} seconds", hint=CONVERT)
        crashed = UnreadableInput(f"{job.name}: the decoder crashed on it", hint=CONVERT)
        try:
            send(self._jobs, job)
            return cast("Prepared | CoreError", receive(self._answers, job.seconds))
        except Late:
            self.end()
            return late
        except (Ended, BrokenPipeError):
            code = self.end()
            if self._is_cancelled:
                return Closed()
            if code == -signal.SIGKILL:  # by the kernel, out of memory
                return too_large(job.name)
            return late if code == -signal.SIGALRM else crashed
        except Exception:  # what came was no answer: memory was overwritten
            self.end()
            return crashed


def _process() -> subprocess.Popen[bytes]:
    """A worker's process, by the modules of this one; in a group of its own, which no Ctrl-C at a terminal reaches."""
    path = [str(folder) for folder in sys.path]
    return subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path[:] = {path!a}; from {MODULE} import main; main()"],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        process_group=0,
        env={**os.environ, **ONE_THREAD},
    )


def _widen(pipe: FileIO) -> None:
    """Let the pipe hold more, where the system allows it."""
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _not_started(reason: str) -> CoreError:
    return CoreError(f"a process to open pictures in could not be started ({reason})", hint="use fewer, or none")
