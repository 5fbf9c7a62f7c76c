"""`llavacli models` over a fake Hub: listing, fetching, checking, repairing and removing, by scripts and people."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from llavacli_core.families.registry import ALIASES, CAPTIONERS, PUBLISHED
from llavacli_core.hub.cache import Repository
from tests.hub.fake_hub import COMMIT, Hub, serving, visited
from tests.llavacli.running import Run, process, until

DEMO = Path(__file__).parents[2] / "llavacli_core" / "demo_checkpoint"
NAME = "org/tiny"
WEIGHTS = "model.safetensors"


@pytest.fixture
def hub(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A Hub that has a copy of the demo, and the cache in the working folder."""
    shutil.copytree(DEMO, home / "repository")
    with serving(home / "repository", NAME) as hub:
        visited(hub, home / "hf", monkeypatch)
        for name, value in {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "0"}.items():
            monkeypatch.setenv(name, value)
        yield hub


@pytest.fixture
def cached(home: Path) -> Repository:
    return Repository.of(NAME, home / "hf" / "hub")


@pytest.fixture
def pulled(hub: Hub, here: Run, cached: Repository) -> Path:
    """The snapshot's folder, after a pull."""
    assert here("models", "pull", "-q", NAME).returncode == 0
    return cached.snapshot(COMMIT)


def flip(file: Path, place: int = -1000) -> None:
    """Flip one bit of a file, of a link what it leads to."""
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.resolve().write_bytes(data)


def test_pull_prints_the_folder_and_the_model_answers(hub, here, cached):
    result = here("models", "pull", NAME)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{cached.snapshot(COMMIT)}\n".encode()
    assert b"to fetch" in result.stderr
    assert b"\x1b" not in result.stderr
    again = here("models", "pull", NAME)
    assert again.stdout == result.stdout
    assert b"complete already" in again.stderr
    assert here("models", "pull", "-q", NAME).stderr == b""
    shown = here("describe", "-q", "-m", NAME, "--offline", "--dry-run", "a.png")
    assert shown.returncode == 0, shown.stderr


def test_a_dry_run_fetches_nothing(hub, here, cached):
    result = here("models", "pull", "--dry-run", NAME)
    assert result.returncode == 0
    rows = [line.split("\t") for line in result.stdout.decode().splitlines()]
    assert [WEIGHTS, str((DEMO / WEIGHTS).stat().st_size), "fetch"] in rows
    assert not cached.folder.exists()
    here("models", "pull", "-q", NAME)
    assert {line.split("\t")[2] for line in here("models", "pull", "--dry-run", NAME).stdout.decode().splitlines()} == {
        "there"
    }


def test_several_models_and_one_that_is_not_there(hub, here, cached):
    result = here("models", "pull", "org/nobody", NAME)
    assert result.returncode == 3
    assert result.stdout == f"{cached.snapshot(COMMIT)}\n".encode()
    assert result.stderr.count(b"error:") == 1


def test_offline_a_whole_model_is_enough_and_a_part_is_not(pulled, hub, here, monkeypatch):
    result = here("models", "pull", "--offline", NAME)
    assert (result.returncode, result.stdout) == (0, f"{pulled}\n".encode())
    assert b"not asked" in result.stderr
    hub.statuses[NAME] = 500
    assert here("models", "pull", NAME).returncode == 0
    (pulled / WEIGHTS).resolve().unlink()
    result = here("models", "pull", NAME)
    assert result.returncode == 5
    assert b"answered 500" in result.stderr
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    result = here("models", "pull", NAME)
    assert result.returncode == 5
    assert f"{NAME} is not complete in the cache, and this is an offline run".encode() in result.stderr


@pytest.mark.parametrize("command", ["info", "pull", "verify", "rm"])
def test_a_folder_without_a_config_is_told_from_a_name(here, home, command):
    Path("empty").mkdir()
    result = here("models", command, "empty")
    assert result.returncode == 5
    assert result.stderr.startswith(b"llavacli: error: empty has no config.json")


def test_a_disk_too_small_is_74(hub, here, monkeypatch, cached):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 1_000_000))
    for args in ([], ["--dry-run"]):
        result = here("models", "pull", *args, NAME)
        assert result.returncode == 74
        assert b"has 0.0 GB left" in result.stderr
    assert hub.served == 0


def test_local_dir_and_cache_dir(hub, here, home):
    assert here("models", "pull", "-q", "--local-dir", "mine", NAME).stdout == b"mine\n"
    assert not Path("mine", WEIGHTS).is_symlink()
    assert here("models", "info", "mine", "--json").returncode == 0
    assert here("models", "verify", "mine").returncode == 0
    assert here("models", "verify", NAME, "--local-dir", "mine").returncode == 0
    result = here("models", "pull", "-q", "--cache-dir", "other", NAME)
    assert result.stdout.startswith(b"other/models--org--tiny/snapshots/")
    assert here("models", "ls", "--cache-dir", "other").stdout.count(b"\n") == 2
    assert not (home / "hf").exists()
    assert here("models", "pull", "--local-dir", "x", NAME, "org/b").returncode == 2
    assert here("models", "pull", "--local-dir", "x", "--cache-dir", "y", NAME).returncode == 2


def test_a_flipped_byte_is_found_and_repaired(pulled, hub, here):
    sound = here("models", "verify", NAME)
    assert (sound.returncode, sound.stdout) == (0, b"")
    assert b"are as they should be" in sound.stderr
    flip(pulled / WEIGHTS)
    result = here("models", "verify", NAME)
    assert result.returncode == 5
    assert result.stdout.decode().startswith(f"{pulled / WEIGHTS}: is damaged: its sha256")
    assert result.stdout.count(b"\n") == 1
    line = result.stderr.decode().rpartition("(hint: ")[2].rstrip(")\n")
    assert line == f"llavacli models pull {NAME} --repair"
    hub.served = 0
    assert here(*line.split()[1:]).returncode == 0
    assert hub.served == (DEMO / WEIGHTS).stat().st_size
    assert (pulled / WEIGHTS).read_bytes() == (DEMO / WEIGHTS).read_bytes()
    assert here("models", "verify", NAME).returncode == 0


@pytest.mark.parametrize(
    ("spoil", "file", "said"),
    [
        (lambda path: flip(path, 3), "config.json", "git-sha1"),
        (lambda path: path.resolve().write_bytes(path.read_bytes()[:5000]), WEIGHTS, "cut short"),
        (lambda path: path.resolve().write_bytes(b""), WEIGHTS, "cut short"),
        (lambda path: path.resolve().unlink(), WEIGHTS, "leads nowhere"),
        (lambda path: path.unlink(), WEIGHTS, "missing"),
        (lambda path: path.unlink(), "tokenizer.json", "missing"),
    ],
    ids=["small file", "cut short", "empty", "dangling", "missing", "no tokenizer"],
)
def test_whatever_is_wrong_is_found_and_a_pull_repairs_it(pulled, hub, here, spoil, file, said):
    spoil(pulled / file)
    result = here("models", "verify", "--offline", NAME)
    assert result.returncode == 5
    assert [line for line in result.stdout.decode().splitlines() if f"{file}: " in line and said in line]
    assert here("models", "pull", "-q", "--repair", NAME).returncode == 0
    assert (pulled / file).read_bytes() == (DEMO / file).read_bytes()
    assert here("models", "verify", NAME).returncode == 0


def test_verify_as_records_and_of_folders_without_hashes(pulled, here, home):
    records = [json.loads(line) for line in here("models", "verify", "--json", NAME).stdout.splitlines()]
    assert {(record["model"], record["problem"]) for record in records} == {(NAME, None)}
    assert {record["checked_by"] for record in records} == {"sha256", "git-sha1"}
    folder = home / "repository"
    result = here("models", "verify", str(folder))
    assert result.returncode == 0
    assert b"no hashes are known" in result.stderr
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-1])
    (folder / "tokenizer.json").write_text("{")
    result = here("models", "verify", str(folder))
    assert result.returncode == 5
    assert b"cut short" in result.stdout
    assert b"no JSON" in result.stdout
    result = here("models", "verify", NAME, "--local-dir", str(folder))
    assert result.returncode == 0  # the Hub has the same files
    (home / "copy").mkdir()
    for name in os.listdir(folder):
        shutil.copy(folder / name, home / "copy")
    flip(home / "copy" / WEIGHTS)
    result = here("models", "verify", NAME, "--local-dir", "copy")
    assert result.returncode == 5
    assert f"llavacli models pull {NAME} --repair --local-dir copy".encode() in result.stderr
    assert here("models", "verify", NAME, "org/b", "--local-dir", "copy").returncode == 2


def test_what_the_hub_itself_has_broken_is_no_damage_of_ours(hub, here, home):
    (home / "repository" / WEIGHTS).write_bytes(b"no safetensors at all")
    here("models", "pull", "-q", NAME)
    assert here("models", "verify", NAME).returncode == 0


def test_verify_of_what_is_not_there(hub, here):
    result = here("models", "verify", NAME)
    assert result.returncode == 5
    assert f"llavacli models pull {NAME}".encode() in result.stderr
    assert here("models", "verify", "demo").returncode == 0


def test_ls(pulled, here, home):
    rows = [line.split("\t") for line in here("models", "ls").stdout.decode().splitlines()]
    assert [row[0] for row in rows] == ["demo", NAME]
    assert rows[1][1:4] == ["llava_next", rows[0][2], COMMIT]
    assert rows[1][-1] == "complete"
    (home / "hf" / "hub" / "models--org--bert" / "snapshots" / COMMIT).mkdir(parents=True)
    (home / "hf" / "hub" / "models--org--bert" / "snapshots" / COMMIT / "config.json").write_text(
        '{"model_type": "bert"}'
    )
    (pulled / WEIGHTS).resolve().unlink()
    rows = [json.loads(line) for line in here("models", "ls", "--json").stdout.splitlines()]
    assert [(row["id"], row["complete"]) for row in rows] == [("demo", True), (NAME, False)]
    assert rows[1]["missing"] == [WEIGHTS]
    assert rows[1]["refs"] == ["main"]


def test_ls_needs_neither_torch_nor_the_hub(pulled):
    code = (
        "import sys\nfrom llavacli.app import run\nfrom llavacli.signals import Stopper\n"
        "run(sys.argv[1:], Stopper())\nprint(*sys.modules, file=sys.stderr)"
    )
    result = process([sys.executable, "-c", code, "models", "ls"], text=True)
    assert NAME in result.stdout
    assert not {"torch", "numpy", "PIL", "huggingface_hub", "tokenizers", "rich"} & set(result.stderr.split())


def test_every_published_checkpoint_has_an_alias(hub, here):
    rows = dict(line.split("\t")[:2] for line in here("models", "ls", "--aliases").stdout.decode().splitlines())
    assert rows == ALIASES
    assert set(ALIASES.values()) == {*PUBLISHED, *CAPTIONERS}
    assert {"llava-1.5-7b", "llava-v1.6-mistral-7b", "llava-next-video-7b-32k", "trocr-base-printed"} <= set(rows)
    result = here("models", "info", "--offline", "LLaVA-1.5-7B")
    assert b"llavacli models pull llava-hf/llava-1.5-7b-hf" in result.stderr


def test_rm_asks_and_frees(pulled, here, cached):
    refused = here("models", "rm", NAME)
    assert refused.returncode == 2
    assert b"--yes" in refused.stderr
    dry = here("models", "rm", "--dry-run", NAME)
    assert (dry.returncode, dry.stdout) == (0, f"{cached.folder}\n".encode())
    assert b"free 3.7 MB" in dry.stderr
    assert pulled.is_dir()
    done = here("models", "rm", "--yes", NAME, NAME)
    assert done.returncode == 0
    assert b"3.7 MB freed" in done.stderr
    assert not cached.folder.exists()
    assert here("models", "rm", "--yes", NAME).returncode == 5


@pytest.mark.parametrize(("typed", "stays"), [(b"n", True), (b"", True), (b"y", False)])
def test_rm_on_a_terminal(pulled, cached, typed, stays):
    import pty

    ours, theirs = pty.openpty()
    running = start("rm", NAME, stdin=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while b"[y/N]" not in shown:
        shown += os.read(ours, 1000)
    os.write(ours, typed + b"\n")
    assert running.wait() == 0
    running.communicate()
    assert b"free 3.7 MB" in shown
    assert cached.folder.exists() is stays


def test_rm_of_a_revision_keeps_what_others_share(pulled, hub, here, home, cached):
    hub.commit = "f" * 40
    (home / "repository" / "generation_config.json").write_text('{"eos_token_id": 3}')
    here("models", "pull", "-q", NAME)
    old = (pulled / "generation_config.json").resolve()
    done = here("models", "rm", "--yes", "--revision", COMMIT[:7], NAME)
    assert done.returncode == 0, done.stderr
    assert cached.commits() == ["f" * 40]
    assert not old.exists()
    assert here("models", "verify", NAME).returncode == 0
    assert here("models", "rm", "--yes", "--revision", "beef", NAME).returncode == 5
    assert here("models", "rm", "--yes", "--revision", "main", NAME).returncode == 0
    assert not cached.folder.exists()


def test_rm_never_touches_what_is_not_in_the_cache(hub, here, home):
    for model in ("repository", str(home / "repository"), "demo"):
        result = here("models", "rm", "--yes", model)
        assert result.returncode == 2, result
    assert (home / "repository" / "config.json").is_file()
    assert here("models", "rm", "--yes", "../repository").returncode == 5
    assert here("models", "rm", "--yes", "org/../x").returncode == 5


def start(*args: str, **how: object) -> subprocess.Popen[bytes]:
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-m", "llavacli", "models", *args], **{**pipes, **how})


@pytest.mark.slow
def test_a_pull_that_was_killed_goes_on_where_it_was(hub, cached):
    hub.rate = 2_000_000
    killed = start("pull", NAME)
    until(lambda: hub.served > 1_500_000)
    killed.kill()
    killed.communicate()
    had = sum(path.stat().st_size for path in cached.partials())
    assert had > 1_000_000
    listed = start("ls", "--json").communicate()[0].splitlines()
    assert [json.loads(line)["complete"] for line in listed] == [True, False]
    until(lambda: not hub.sending)
    hub.served, hub.rate = 0, None
    out, errors = start("pull", NAME).communicate()
    assert out == f"{cached.snapshot(COMMIT)}\n".encode()
    assert b"from an earlier attempt" in errors
    total = (DEMO / WEIGHTS).stat().st_size
    assert hub.served == total - had
    assert (cached.snapshot(COMMIT) / WEIGHTS).read_bytes() == (DEMO / WEIGHTS).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_slow_pull_at_once(hub, cached, signum):
    hub.rate = 50_000
    running = start("pull", NAME)
    until(lambda: hub.served > 30_000)
    began = time.monotonic()
    running.send_signal(signum)
    out, errors = running.communicate(timeout=20)
    assert time.monotonic() - began < 10
    assert (running.returncode, out) == (128 + signum, b"")
    assert b"goes on from there" in errors
    assert b"Traceback" not in errors
    assert sum(path.stat().st_size for path in cached.partials()) > 10_000


def test_progress_on_a_terminal(hub, monkeypatch):
    import pty

    monkeypatch.delenv("HF_HUB_DISABLE_PROGRESS_BARS", raising=False)
    hub.rate = 4_000_000
    ours, theirs = pty.openpty()
    running = start("pull", NAME, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 1 << 16)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    assert running.wait() == 0
    assert b"MB/s" in shown
    assert b"3.7/3.7 MB" in shown
    running.communicate()


def test_completion_knows_aliases_and_the_cache(pulled, here):
    from llavacli.completion import model_names

    assert NAME in model_names("org")
    assert "llava-1.5-7b" in model_names("llava-1")


def test_a_cache_that_is_not_there_is_said(here, home):
    result = here("models", "ls", "--cache-dir", "nowhere")
    assert (result.returncode, result.stdout.count(b"\n")) == (0, 1)
    assert b"warning: --cache-dir nowhere: there is no such folder" in result.stderr
