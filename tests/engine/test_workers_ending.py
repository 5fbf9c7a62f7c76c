"""Worker processes end with what they were started for, however that ends, and leave nothing behind."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread

import pytest

import llavacli_core as core
from llavacli_core.engine import hired
from llavacli_core.engine.opening import Opener
from llavacli_core.engine.workers import Workers
from llavacli_core.messages import Image, Message
from tests.engine import misbehaving
from tests.engine.staff import staffed
from tests.media.files import noise, stored

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

DEMO = Path(core.__file__).parent / "demo_checkpoint"
ROOT = Path(core.__file__).parent.parent
PNG = stored(noise(30, 40))

PARENT = """
import sys
import llavacli_core as core
from llavacli_core.engine import hired
from llavacli_core.engine.workers import Workers
from tests.engine.staff import staffed
from llavacli_core.messages import Image
from concurrent.futures import ThreadPoolExecutor
hired.MODULE = "tests.engine.misbehaving"
if __name__ == "__main__":
    with staffed(core.load_processor(sys.argv[1]).opener, 2) as opened, ThreadPoolExecutor(1) as threads:
        stuck = threads.submit(opened, Image(b"!stuck"))
        opened(Image(open(sys.argv[2], "rb").read()))
        print("ready", flush=True)
        stuck.result()
"""


@pytest.fixture(scope="module")
def opener() -> Opener:
    return core.load_processor(DEMO).opener


@pytest.fixture
def misled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hired, "MODULE", misbehaving.NAME)


def children(parent: int | None = None) -> set[int]:
    """Processes whose parent is the given one, or this one; the dead that nobody has asked after included."""
    parent, found = parent or os.getpid(), set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = status.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(words[1]) == parent:
            found.add(int(status.parent.name))
    return found


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def exists(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_nothing_is_left(opener: Opener):
    """Less may be there than before: what earlier tests in this process left is cleared away when it happens to be."""
    gc.collect()  # files that nobody holds any more do not make room for ones that are left
    before, shared = children(), set(os.listdir("/dev/shm"))
    files = len(os.listdir("/proc/self/fd"))
    with staffed(opener, 3) as opened:
        opened(Image(PNG))
        assert len(children() - before) == 1  # no more than are needed
    assert children() <= before
    with pytest.raises(ZeroDivisionError), staffed(opener, 2) as opened:
        1 / 0  # noqa: B018
    assert children() <= before
    assert set(os.listdir("/dev/shm")) <= shared
    assert len(os.listdir("/proc/self/fd")) <= files


@pytest.mark.parametrize("how", ["stop", "close"])
@pytest.mark.usefixtures("misled")
def test_a_batch_that_is_given_up_waits_for_no_picture(how: str):
    engine, before = core.load(DEMO, device="cpu"), children()

    def requests():
        yield [Message("user", [Image(PNG), "What is this?"])], core.Sampling(max_tokens=3)
        for _ in range(4):
            yield [Message("user", [Image(b"!stuck")])], None

    generation = engine.batch(requests(), workers=2)
    assert next(generation)[0] == 0
    started = time.monotonic()
    if how == "close":
        generation.close()
    else:
        generation.stop()
        list(generation)
    assert time.monotonic() - started < 10
    assert children() <= before


@pytest.mark.usefixtures("misled")
def test_who_waits_when_all_ends_gets_an_error(opener: Opener):
    workers = Workers(2).__enter__()
    with ThreadPoolExecutor(6) as threads:
        waiting = [threads.submit(workers.open, opener, Image(b"!stuck")) for _ in range(6)]
        workers.__exit__(None, None, None)
        for each in waiting:
            assert "were ended" in str(each.exception(timeout=20))


def test_one_that_was_killed_at_rest_costs_no_picture(opener: Opener):
    before = children()
    with staffed(opener, 1) as opened:
        for _ in range(3):
            opened(Image(PNG))
            (worker,) = children() - before
            os.kill(worker, signal.SIGKILL)
            until(lambda worker=worker: not exists(worker))


def test_a_worker_ignores_ctrl_c_and_is_out_of_its_reach(opener: Opener):
    before = children()
    with staffed(opener, 1) as opened:
        opened(Image(PNG))
        (worker,) = children() - before
        os.kill(worker, signal.SIGINT)
        opened(Image(PNG))
        assert children() - before == {worker}
        assert os.getpgid(worker) != os.getpgid(0)


def test_workers_outlive_the_thread_that_asked(opener: Opener):
    before = children()
    with staffed(opener, 1) as opened:
        (first,) = children() - before
        os.kill(first, signal.SIGKILL)
        until(lambda: not exists(first))
        thread = Thread(target=opened, args=[Image(PNG)])  # has another one started
        thread.start()
        thread.join()
        (second,) = children() - before
        opened(Image(PNG))
        assert children() - before == {second}


def test_a_worker_holds_no_files_and_no_torch(opener: Opener, tmp_path: Path):
    before = children()
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)  # noqa: FBT003
        with staffed(opener, 2) as opened:
            opened(Image(PNG))
            opened(Image(PNG))
            for worker in children() - before:
                held = {os.readlink(link) for link in Path(f"/proc/{worker}/fd").iterdir()}
                assert {name.partition(":")[0] for name in held} == {"/dev/null", "pipe"}
                assert len([name for name in held if name.startswith("pipe")]) == 2
                assert "torch" not in Path(f"/proc/{worker}/maps").read_text()


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_worker_outlives_its_parent(signum: int, tmp_path: Path):
    (tmp_path / "picture.png").write_bytes(PNG)
    (tmp_path / "parent.py").write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "parent.py", DEMO, tmp_path / "picture.png"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        workers = children(parent.pid)
        assert len(workers) == 2
        parent.send_signal(signum)
        if signum == signal.SIGINT:  # it waits for its thread, which waits for its picture: the second ends it
            time.sleep(0.2)
            parent.send_signal(signum)
        parent.wait(timeout=20)
        until(lambda: not any(map(exists, workers)))
