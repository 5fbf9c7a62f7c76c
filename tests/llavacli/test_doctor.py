"""`llavacli doctor`: what this computer has, and whether a model fits in it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from llavacli_core.checkpoint import footprint
from llavacli_core.checkpoint.host import Room
from llavacli_core.engine import environment, fit
from tests.llavacli.running import Run

KEYS = [
    *("schema", "version", "python", "platform", "torch", "devices", "libraries", "cache", "terminal", "model", "work"),
    *("memory", "choices", "fits", "command"),
]


@pytest.fixture
def model(home: Path, checkpoint: Callable[[str], Path]) -> str:
    """A checkpoint whose weights are not there."""
    folder = home / "my model"
    shutil.copytree(checkpoint("next-vicuna"), folder, ignore=shutil.ignore_patterns("*.safetensors"))
    return str(folder)


def test_without_a_model(here: Run) -> None:
    result = here("doctor")
    assert (result.returncode, result.stderr) == (0, b"")
    first = [line.split()[0] for line in result.stdout.decode().splitlines()]
    assert first == ["llavacli", "torch", "cpu", *["library"] * 3, "cache", "terminal"]


def test_json_without_a_model(here: Run) -> None:
    found = json.loads(here("doctor", "--json").stdout)
    assert list(found) == KEYS
    assert found["schema"] == "llavacli.doctor/1"
    assert (found["model"], found["memory"], found["choices"], found["fits"]) == (None, None, [], None)
    assert found["devices"][0]["device"] == "cpu"


def test_a_model_with_a_picture(here: Run, model: str) -> None:
    found = json.loads(here("doctor", "--json", "-m", model, "a.png", "--dtype", "float32").stdout)
    plan = json.loads(here("describe", "--dry-run", "--json", "-m", model, "a.png", "--dtype", "float32").stdout)
    assert found["fits"] is True
    assert found["memory"] | {"free": 0} == plan["memory"] | {"free": 0}
    assert found["work"]["prompt"] == plan["usage"]["prompt_tokens"]
    parts = ("weights", "cache", "activations", "overhead")
    assert found["memory"]["total"] == sum(found["memory"][part] for part in parts)
    assert [(each["dtype"], each["quant"]) for each in found["choices"]][:3] == [
        *(("float32", "none"), ("bfloat16", "none"), ("float16", "none"))
    ]
    assert [each["quant"] for each in found["choices"]][3:] == ["8bit", "4bit"]
    assert found["command"] == f"llavacli describe -m '{model}' --dtype float32 a.png"


def test_the_command_asks_for_what_was_asked(here: Run, model: str) -> None:
    asked = (
        "--attention",
        "eager",
        "--max-memory",
        "cpu=1GiB",
        "--max-tokens",
        "9",
        "--prompt=-what?",
        "--stop",
        "a b",
    )
    found = json.loads(here("doctor", "--json", "-m", model, *asked, "--offline", "--together", "a.png").stdout)
    command = shlex.split(found["command"])
    assert command[:4] == ["llavacli", "describe", "-m", model]
    rest = ["--offline", "--attention", "eager", "--max-memory", "cpu=1GiB", "--max-tokens", "9", "--stop", "a b"]
    assert sorted(command[4:]) == sorted(["--dtype", "float32", *rest, "--prompt=-what?", "--together", "a.png"])
    assert here(*command[1:], "--dry-run").returncode == 0


def test_a_budget_is_held_against_what_is_needed(here: Run, model: str) -> None:
    asked = ("-m", model, "a.png", "--max-memory", "20MB")
    found = here("doctor", *asked)
    assert found.returncode == 0
    assert b"; 20.0 MB allowed; " in found.stdout
    assert found.stdout.splitlines()[-2].endswith(b" free on cpu: over budget")
    plan = here("describe", "--dry-run", *asked).stdout.splitlines()[-1]
    assert b", 20.0 MB allowed, " in plan
    assert plan.endswith(b"fits, but takes more than is allowed")
    roomy = json.loads(here("doctor", "--json", "-m", model, "a.png", "--max-memory", "cpu=4GB").stdout)["memory"]
    assert (roomy["budget"], roomy["verdict"]) == (4 * 10**9, "fits")


def test_a_budget_that_nothing_fits_into(here: Run, model: str) -> None:
    """All forms are shown nevertheless."""
    asked = ("-m", model, "a.png", "--max-memory", "1MB")
    found = here("doctor", *asked)
    assert found.returncode == 6
    lines = found.stdout.decode().splitlines()
    assert sum(line.endswith("too large") for line in lines) > len(("float32", "bfloat16", "as it is"))
    assert lines[-1] == "try       a larger --max-memory or a smaller model: nothing fits"
    refused = here("describe", *asked)
    assert refused.returncode == 6
    assert b"the model does not fit: on one device it takes at least" in refused.stderr
    assert refused.stderr.endswith(b"(hint: a larger --max-memory, or a smaller model)\n")


def test_a_model_that_does_not_fit(here: Run, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "host_memory", lambda: Room(total=2**20, free=2**20))
    monkeypatch.setattr(fit, "free_swap", lambda: 0)
    result = here("doctor", "-m", model, "a.png")
    assert result.returncode == 6
    lines = result.stdout.decode().splitlines()
    assert lines[-2].endswith("1.0 MB free on cpu: too large")
    assert lines[-1] == "try       a smaller model: nothing fits"


def test_fewer_tiles_where_these_alone_do_it(here: Run, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "REMAP_BYTES", 0)  # which outweighs so small a model
    totals = []
    for tiles in ((), ("--max-tiles", "1")):
        found = json.loads(here("doctor", "--json", "-m", model, "a.png", "--dtype", "bfloat16", *tiles).stdout)
        totals.append(found["memory"]["total"])
    monkeypatch.setattr(fit, "host_memory", lambda: Room(total=sum(totals), free=sum(totals) // 2))
    result = here("doctor", "--json", "-m", model, "a.png", "--dtype", "bfloat16")
    assert result.returncode == 6
    assert (
        json.loads(result.stdout)["command"] == f"llavacli describe -m '{model}' --max-tiles 1 --dtype bfloat16 a.png"
    )


def test_a_broken_library_is_a_line(here: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("shaky.py").write_text("raise OSError('libcudart.so.12: cannot open\\nmore')")
    monkeypatch.setattr(sys, "path", [str(home), *sys.path])
    monkeypatch.setattr(environment, "OPTIONAL", (("shaky", "torch", "quant", "nothing"),))
    result = here("doctor")
    assert result.returncode == 0
    said = result.stdout.decode()
    assert "library   torch installed, but does not load: OSError: libcudart.so.12: cannot open: pip install" in said


def test_pictures_that_cannot_be_read_do_not_keep_the_others(here: Run, model: str) -> None:
    result = here("doctor", "--json", "-m", model, "nothing.png", "a.png", "llavacli.txt")
    assert result.returncode == 3
    assert result.stderr.count(b"error: ") == 2
    found = json.loads(result.stdout)
    assert found["work"] == json.loads(here("doctor", "--json", "-m", model, "a.png").stdout)["work"]
    assert found["command"].endswith(" a.png")
    result = here("doctor", "--json", "-m", model, "nothing.png", "llavacli.txt")
    assert (result.returncode, result.stdout) == (4, b"")


def test_a_prompt_that_is_too_long_is_no_fit(here: Run, model: str) -> None:
    result = here("doctor", "--json", "-m", model, "-p", "word " * 9000, "a.png")
    assert (result.returncode, result.stdout) == (6, b"")
    assert b"positions for prompt and answer (hint: " in result.stderr


def test_names_that_no_shell_takes_as_they_are(here: Run, model: str, home: Path) -> None:
    names = [b"two\nlines.png", b"it's \xff\\.png", "\u202egnp.png".encode(), b"-dash $x.png"]
    for name in names:
        shutil.copy("a.png", os.fsdecode(name))
    found = json.loads(here("doctor", "--json", "-m", model, "--together", "--", *map(os.fsdecode, names)).stdout)
    words = found["command"].removeprefix("llavacli ")
    assert words.isprintable()
    told = subprocess.run(["bash", "-c", f"printf '%s\\0' {words}"], capture_output=True, check=True).stdout
    assert told.split(b"\0")[-len(names) - 2 : -1] == [b"--", *names]


def test_a_model_alone(here: Run, model: str) -> None:
    lines = here("doctor", "-m", model, "--offline").stdout.decode().splitlines()
    assert f"model     {model}: alone; name a picture, and it counts too" in lines
    assert lines[-1] == f"try       llavacli chat -m '{model}' --dtype float32 --offline"


def test_a_device_that_there_is_not(here: Run) -> None:
    result = here("doctor", "--device", "gpu")
    assert result.returncode == 2
    assert result.stderr.startswith(b"llavacli: error: no device 'gpu'")


def test_what_a_library_logs_on_import_is_its_own_affair(
    here: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("chatty.py").write_text("import logging\nlogging.getLogger('chatty.kernels').warning('no kernels')")
    monkeypatch.setattr(sys, "path", [str(home), *sys.path])
    monkeypatch.setattr(environment, "OPTIONAL", (("chatty", "torch", "quant", "nothing"),))
    assert here("doctor").stderr == b""


def test_a_picture_that_is_not_there(here: Run, model: str) -> None:
    result = here("doctor", "-m", model, "nothing.png")
    assert result.returncode == 4
    assert result.stderr.startswith(b"llavacli: error: nothing.png: no such file")
