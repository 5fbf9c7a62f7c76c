"""`describe --dry-run`: the exact prompt and what it costs, without weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.llavacli.running import Run

PROMPT = "USER: <image>\nDescribe this image in detail. ASSISTANT:"


@pytest.fixture
def model(home: Path, checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint whose weights are gone."""
    folder = home / "model"
    shutil.copytree(checkpoint("next-vicuna"), folder, ignore=shutil.ignore_patterns("*.safetensors"))
    monkeypatch.setenv("LLAVACLI_MODEL", str(folder))
    return folder


def test_text(here: Run, model: Path) -> None:
    result = here("describe", "--dry-run", "a.png", "--max-tokens", "10")
    assert (result.returncode, result.stderr) == (0, b"")
    prompt, rest = result.stdout.decode().split("\n\n")
    assert prompt == PROMPT
    lines = rest.splitlines()
    assert lines[0].startswith("picture  a.png: 40x30, ")
    assert lines[1].startswith("prompt   ")
    assert lines[2] == "answer   10 tokens at most"
    assert lines[3].endswith(" positions: fits")
    assert lines[4].startswith("memory   ")
    assert lines[4].endswith(" free: fits")


def test_several_and_together(here: Run, model: Path) -> None:
    apart = here("describe", "--dry-run", "a.png", "b.png").stdout.decode()
    assert apart.count(PROMPT) == 2
    assert apart.startswith("==> a.png <==\n")
    assert "\n\n==> b.png <==\n" in apart
    together = here("describe", "--dry-run", "--together", "a.png", "b.png").stdout.decode()
    assert together.count("<image>") == 2
    assert together.count("picture  ") == 2


def test_json_agrees_with_the_processor(here: Run, model: Path) -> None:
    import llavacli_core as core

    prepared = core.load_processor(str(model)).prepare(
        [core.Message("system", "Be brief."), core.Message("user", [core.Image("a.png", max_tiles=2), "What?"])]
    )
    args = ("-s", "Be brief.", "-p", "What?", "--max-tiles", "2", "--max-tokens", "9")
    plan = json.loads(here("describe", "--dry-run", "--json", "--tokens", "a.png", *args).stdout)
    assert list(plan) == [
        *("schema", "status", "source", "images", "videos", "prompt", "system", "model", "params", "usage"),
        *("memory", "fits", "warnings", "error", "prompt_text", "token_ids"),
    ]
    assert (plan["schema"], plan["status"], plan["fits"]) == ("llavacli.dry-run/1", "ok", True)
    assert (plan["prompt_text"], plan["token_ids"]) == (prepared.prompt_text, list(prepared.token_ids))
    assert plan["usage"] == {
        "prompt_tokens": len(prepared.token_ids),
        "image_tokens": prepared.image_tokens,
        "max_tokens": 9,
        "max_positions": 2048,
    }
    assert plan["images"][0]["tiles"] <= 2
    assert (plan["model"]["device"], plan["model"]["dtype"]) == (None, None)


def test_what_does_not_fit_is_shown_and_exits_6(here: Run, model: Path) -> None:
    long = "word " * 3000
    result = here("describe", "--dry-run", "a.png", "-p", long)
    assert result.returncode == 6
    assert result.stdout.decode().splitlines()[-2].endswith(" positions: does not fit")
    assert result.stderr.startswith(b"llavacli: error: ")
    (plan,) = map(json.loads, here("describe", "--dry-run", "--json", "a.png", "-p", long).stdout.splitlines())
    assert (plan["status"], plan["fits"], plan["error"]["code"]) == ("error", False, "too_long")
    assert plan["usage"]["prompt_tokens"] > plan["usage"]["max_positions"]


def test_memory_that_does_not_suffice_exits_6(here: Run, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from llavacli_core.checkpoint.host import Room
    from llavacli_core.engine import fit

    monkeypatch.setattr(fit, "host_memory", lambda: Room(total=2**20, free=2**20))
    result = here("describe", "--dry-run", "a.png")
    assert result.returncode == 6
    assert result.stdout.decode().endswith(", 1.0 MB free: does not fit\n")
    assert b"and 1 MB are free (hint: a smaller model" in result.stderr
    plan = json.loads(here("describe", "--dry-run", "--json", "a.png").stdout)
    assert (plan["status"], plan["fits"], plan["error"]["code"]) == ("error", False, "out_of_memory")
    assert plan["memory"]["total"] > plan["memory"]["free"]


def test_an_answer_that_may_be_cut_is_told(here: Run, model: Path) -> None:
    result = here("describe", "--dry-run", "a.png", "--max-tokens", "5000")
    assert result.returncode == 0
    assert "positions: fits, but an answer ends after " in result.stdout.decode()


def test_a_picture_that_cannot_be_read(here: Run, model: Path) -> None:
    Path("text.png").write_text("no picture")
    result = here("describe", "--dry-run", "--json", "text.png", "a.png")
    assert result.returncode == 3
    error, plan = map(json.loads, result.stdout.splitlines())
    assert list(error) == list(plan)
    assert (error["error"]["code"], error["fits"], plan["fits"]) == ("input_unreadable", False, True)


def test_it_loads_no_torch(model: Path) -> None:
    import sys

    from tests.llavacli.running import process

    code = (
        "import sys\nfrom llavacli.app import run\nfrom llavacli.signals import Stopper\n"
        "assert run(['describe', '--dry-run', 'a.png'], Stopper()) == 0\nassert 'torch' not in sys.modules"
    )
    result = process([sys.executable, "-c", code])
    assert (result.returncode, result.stderr) == (0, b"")
