"""`caption` as a process: killed, stopped, started twice, cut off from its reader, out of room."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import pty
import random
import resource
import shutil
import signal
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.llavacli.conftest import picture
from tests.llavacli.running import SCRIPTED, Run, process, shell, until

Start = Callable[..., "subprocess.Popen[bytes]"]
COUNT = 40
KILLS = 6


@pytest.fixture
def photos(home: Path) -> Path:
    (home / "photos").mkdir()
    for number in range(COUNT):
        (home / f"photos/{number}.png").write_bytes(picture("a.png"))
    return Path("photos")


def rows(path: str | Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def start(*args: str, script: dict[str, Any], **how: Any) -> subprocess.Popen[bytes]:
    environment = os.environ | {"SCRIPT": json.dumps(script)}
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*SCRIPTED, "caption", *args], **{"env": environment, **pipes, **how})


@pytest.mark.slow
@pytest.mark.parametrize("args", [["-o", "out.jsonl"], ["-o", "photos/metadata.jsonl"], ["--sidecar"]], ids=str)
def test_killed_at_any_moment_it_goes_on_where_it_was(photos: Path, args: list[str]) -> None:
    """Nothing is lost, nothing is there twice, no line is broken, no temporary file is left."""
    chance = random.Random(0)
    slow, log = {"slow": 0.004}, {"log": "log"}
    failing = slow | log | {"fail": {"7.png": "input_unreadable"}}
    for _ in range(KILLS):
        _killed(["-q", "photos", *args], failing, after=chance.uniform(0, 0.1))
    last = start("-q", "photos", *args, script=failing)
    last.communicate(timeout=60)
    assert last.returncode == 3
    if args == ["--sidecar"]:
        assert {path.read_text() for path in photos.glob("*.txt")} == {"A red circle.\n"}
        assert len(list(photos.glob("*.txt"))) == COUNT - 1
    else:
        names = [row.get("source") or row["file_name"] for row in rows(args[1])]
        assert len(names) == len(set(names)) == COUNT - (args[1] != "out.jsonl")
    assert [path.name for path in [*Path().iterdir(), *photos.iterdir()] if path.name.endswith(".part")] == []
    asked = sum("prompt" in entry for entry in rows("log"))
    assert asked <= COUNT + KILLS  # one of each killed run at most was done again


def _killed(args: list[str], script: dict[str, Any], after: float) -> None:
    """Run, and kill it so many seconds after it has asked a few questions."""
    logged = _logged()
    running = start(*args, script=script)
    until(lambda: running.poll() is not None or _logged() > logged + 2)
    time.sleep(after)
    running.kill()
    running.communicate()


def _logged() -> int:
    return len(Path("log").read_bytes().splitlines()) if Path("log").exists() else 0


@pytest.mark.slow
def test_one_of_eight_runs_works(photos: Path) -> None:
    runs = [start("-q", "photos", "-o", "out.jsonl", script={"slow": 0.03}) for _ in range(8)]
    said = [run.communicate(timeout=60)[1] for run in runs]
    assert sorted(run.returncode for run in runs) == [0, *[75] * 7]
    busy = b"llavacli: error: out.jsonl: another run is writing there (hint: "
    assert sorted(line.startswith(busy) and line.count(b"\n") == 1 for line in said) == [False, *[True] * 7]
    assert len(rows("out.jsonl")) == COUNT
    assert sorted(os.listdir()) == ["a.png", "b.png", "out.jsonl", "photos"]


def test_shards_may_write_sidecars_side_by_side_but_no_run_beside_them(photos: Path) -> None:
    parts = [start("-q", "photos", "--sidecar", "--shard", f"{i}/2", script={"slow": 0.3}) for i in (1, 2)]
    until(lambda: len(list(photos.glob("*.txt"))) > 1)
    for args in ([], ["--shard", "1/2"]):
        other = start("-q", "photos", "--sidecar", *args, script={})
        assert (other.communicate()[0], other.wait()) == (b"", 75)
    for part in parts:
        part.terminate()
        part.communicate(timeout=30)
        assert part.returncode == 143
    for part in [start("-q", "photos", "--sidecar", "--shard", f"{i}/2", script={}) for i in (1, 2)]:
        part.communicate(timeout=30)
        assert part.returncode == 0
    assert len(list(photos.glob("*.txt"))) == COUNT


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_leaves_whole_captions_only(photos: Path, signum: int, code: int) -> None:
    running = start("photos", "-o", "out.jsonl", "--json", script={"slow": 0.02})
    until(lambda: Path("out.jsonl").exists() and Path("out.jsonl").read_bytes().count(b"\n") > 2)
    running.send_signal(signum)
    began = time.monotonic()
    out, err = running.communicate(timeout=30)
    assert running.returncode == code
    assert time.monotonic() - began < 2
    assert {row["finish_reason"] for row in rows("out.jsonl")} == {"stop"}
    assert out.decode() == Path("out.jsonl").read_text()
    assert b"not done" in err
    again = start("-q", "photos", "-o", "out.jsonl", script={})
    again.communicate(timeout=30)
    assert again.returncode == 0
    assert len({row["source"] for row in rows("out.jsonl")}) == len(rows("out.jsonl")) == COUNT


def test_what_a_run_has_replaced_when_a_signal_comes_is_gone(photos: Path) -> None:
    process([*SCRIPTED, "caption", "-q", "photos", "-o", "out.jsonl"])
    again = ("-q", "photos", "-o", "out.jsonl", "-p", "Why?", "--existing", "overwrite")
    running = start(*again, script={"slow": 0.02})
    until(lambda: Path("out.jsonl").read_bytes().count(b"\n") > COUNT + 2)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=30)
    assert running.returncode == 130
    found = rows("out.jsonl")
    assert len({row["source"] for row in found}) == len(found) == COUNT
    assert 2 < sum(row["prompt"] == "Why?" for row in found) < COUNT


@pytest.mark.parametrize("then", [(), ("--existing", "stale"), ("--existing", "overwrite")], ids=str)
@pytest.mark.parametrize("output", ["out.jsonl", "out.csv", "photos/metadata.jsonl"])
def test_what_a_killed_run_has_replaced_is_gone(photos: Path, output: str, then: tuple[str, ...]) -> None:
    """Whatever the next run is asked for."""
    process([*SCRIPTED, "caption", "-q", "photos", "-o", output])
    size = Path(output).stat().st_size
    again = ("-q", "photos", "-o", output, "-p", "Why?")
    for _ in range(2):
        running = start(*again, "--existing", "overwrite", script={"slow": 0.02, "pieces": ["new caption"]})
        before = Path(output).stat().st_size
        until(lambda before=before: Path(output).stat().st_size > before + size // 20)
        running.kill()
        running.communicate(timeout=30)
    last = start(*again, *then, script={"pieces": ["new caption"]})
    last.communicate(timeout=30)
    assert last.returncode == 0
    if output == "out.csv":
        with open(output, newline="") as file:
            found = [(row["source"], row["text"]) for row in csv.DictReader(file)]
    else:
        found = [(row.get("source") or row["file_name"], row["text"]) for row in rows(output)]
    assert len({source for source, _ in found}) == len(found) == COUNT
    done_again = sum(text == "new caption" for _, text in found)
    assert done_again == COUNT if then else 0 < done_again < COUNT
    assert not [name for name in (*os.listdir(), *os.listdir("photos")) if name.endswith((".replaced", ".part"))]


@pytest.mark.parametrize("args", [["-o", "out.jsonl"], ["-o", "out.csv"], ["--sidecar"]], ids=str)
def test_out_of_room_it_is_74_and_no_row_is_torn(photos: Path, args: list[str]) -> None:
    """A limit on the size of files stands in for a full disk."""
    script = {"pieces": ["x" * 3000]}
    most = 2000 if args == ["--sidecar"] else 20_000
    full = start("-q", "photos", *args, script=script, preexec_fn=lambda: _limit(most))
    _, err = full.communicate(timeout=30)
    assert full.returncode == 74
    assert b"cannot write" in err
    if args != ["--sidecar"]:
        assert Path(args[1]).read_bytes().endswith(b"\n")
        assert 0 < Path(args[1]).stat().st_size <= most
    assert not list(photos.glob("*.txt"))
    assert not list(photos.glob(".*.part"))
    again = start("-q", "photos", *args, script=script)
    again.communicate(timeout=30)
    assert again.returncode == 0


def _limit(most: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


@pytest.fixture
def disk(home: Path) -> Iterator[Path]:
    """A file system of 64 KB, where one can be mounted."""
    place = home / "disk"
    place.mkdir()
    if process(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(place)]).returncode:
        pytest.skip("no file system can be mounted here")
    yield Path("disk")
    process(["umount", "--lazy", str(place)])


@pytest.mark.skipif(shutil.which("mount") is None, reason="nothing can be mounted here")
def test_a_disk_that_is_full_is_74_and_with_room_again_the_run_completes(photos: Path, disk: Path) -> None:
    run = ["-q", "photos", "-o", "disk/out.jsonl"]
    full = start(*run, script={"pieces": ["x" * 3000]})
    _, err = full.communicate(timeout=30)
    assert full.returncode == 74
    assert b"No space left on device" in err
    assert 0 < len(rows("disk/out.jsonl")) < COUNT
    assert process(["mount", "-o", "remount,size=1m", str(disk.absolute())]).returncode == 0
    again = start(*run, script={"pieces": ["x" * 3000]})
    again.communicate(timeout=30)
    assert again.returncode == 0
    assert len({row["source"] for row in rows("disk/out.jsonl")}) == len(rows("disk/out.jsonl")) == COUNT


def test_in_pipelines(photos: Path) -> None:
    assert shell("@ caption -q photos --json | true; exit ${PIPESTATUS[0]}").returncode == 141
    first = shell("@ caption -q photos --json | head -n 1 | wc -l; exit ${PIPESTATUS[0]}")
    assert (first.stdout.strip(), first.stderr) == (b"1", b"")
    assert first.returncode in (0, 141)  # 0 where all was written before `head` left
    quiet = shell("@ caption photos | true")
    assert b"error" not in quiet.stderr
    assert b"captioned" not in quiet.stderr
    full = shell("@ caption -q photos > /dev/full")
    assert (full.returncode, full.stderr.count(b"\n")) == (74, 1)
    os.rename("photos/3.png", b"photos/-new\nline\xe9.png")
    found = shell("find photos -name '*.png' -print0 | @ caption -q -0 --files-from - --json")
    assert found.returncode == 0
    sources = {os.fsencode(json.loads(line)["source"]) for line in found.stdout.splitlines()}
    assert sources == {os.fsencode(path) for path in photos.glob("*.png")}
    within = shell("cd photos && @ caption -q -- *.png | wc -l")
    assert within.stdout.strip() == str(COUNT).encode()
    assert shell("@ caption -q photos -o out.jsonl >&- 2>&-").returncode == 0
    assert len(rows("out.jsonl")) == COUNT


def test_a_picture_on_stdin(scripted: Run, home: Path) -> None:
    result = process([*SCRIPTED, "caption", "-q"], input=Path("a.png").read_bytes())
    assert (result.returncode, result.stdout) == (0, b"-\tA red circle.\n")


@pytest.mark.parametrize("columns", ["120", "50"])
def test_on_a_terminal_there_is_a_bar_and_it_goes_away(
    photos: Path, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    """Where it is narrow, the figures come first."""
    monkeypatch.setenv("COLUMNS", columns)
    seen = on_a_terminal([*SCRIPTED, "caption", "photos", "-o", "out.jsonl"])
    lines = [line.decode() for line in seen.split(b"\r\x1b[2K")]
    bars = [line for line in lines if " left" in line and "tokens/s" in line]
    assert bars
    assert {"░" in line for line in bars if "40/40" not in line} == {columns == "120"}
    assert max(map(len, lines[1:-1])) < int(columns)
    assert lines[-1].startswith("llavacli: 40 captioned; ")


@pytest.mark.parametrize("how", ["TERM=dumb", "-q", "&"])
def test_no_bar_where_it_would_be_in_the_way(photos: Path, how: str) -> None:
    """A job in the background does not write over what its shell shows."""
    command = f"{' '.join(SCRIPTED)} caption photos -o out.jsonl"
    line = {"TERM=dumb": f"TERM=dumb {command}", "-q": f"{command} -q", "&": f"{command} & wait"}[how]
    seen = on_a_terminal(["bash", "-mc", line])
    assert b"\x1b" not in seen
    assert (b"llavacli: 40 captioned; " in seen) == (how != "-q")


def on_a_terminal(command: Sequence[str]) -> bytes:
    """What a command writes on a terminal that is its own, as a shell would give it one."""
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        env=os.environ | {"SCRIPT": json.dumps({"slow": 0.01})},
    )
    os.close(theirs)
    seen = b""
    with suppress(OSError):  # EIO is the end
        while piece := os.read(ours, 4096):
            seen += piece
    os.close(ours)
    assert running.wait() == 0
    return seen


@pytest.mark.parametrize("output", ["out.jsonl", "photos/metadata.jsonl"])
def test_an_output_that_is_removed_meanwhile_is_told(photos: Path, output: str) -> None:
    running = start("-q", "photos", "-o", output, script={"slow": 0.02})
    until(lambda: Path(output).exists() and Path(output).read_bytes().count(b"\n") > 2)
    Path(output).unlink()
    _, err = running.communicate(timeout=30)
    assert (running.returncode, b"was removed or replaced meanwhile" in err) == (74, True)


def test_outputs_of_like_names_know_nothing_of_each_other(photos: Path) -> None:
    """Long names that begin alike, as shards have."""
    outputs = [f"{'x' * 210}{number}.jsonl" for number in range(2)]
    for output in outputs:
        process([*SCRIPTED, "caption", "-q", "photos", "-o", output])
    running = start("-q", "photos", "-o", outputs[0], "-p", "Why?", "--existing", "overwrite", script={"slow": 0.02})
    until(lambda: Path(outputs[0]).read_bytes().count(b"\n") > COUNT + 2)
    again = [*SCRIPTED, "caption", "-q", "photos", "-o", outputs[1], "--existing", "overwrite"]
    assert process(again).returncode == 0
    running.kill()
    running.communicate(timeout=30)
    assert process([*SCRIPTED, "caption", "-q", "photos", "-o", outputs[1]]).returncode == 0
    assert process([*SCRIPTED, "caption", "-q", "photos", "-o", outputs[0]]).returncode == 0
    for output in outputs:
        assert len({row["source"] for row in rows(output)}) == len(rows(output)) == COUNT
