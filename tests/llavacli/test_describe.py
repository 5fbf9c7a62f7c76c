"""`describe` from end to end: the real core, with a tiny checkpoint of random weights."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.llavacli.running import Run, process


@pytest.fixture
def model(home: Path, checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny LLaVA-NeXT, chosen by the environment."""
    folder = checkpoint("next-vicuna")
    monkeypatch.setenv("LLAVACLI_MODEL", str(folder))
    monkeypatch.setenv("LLAVACLI_MAX_TOKENS", "8")
    monkeypatch.setenv("LLAVACLI_DEVICE", "cpu")
    return folder


def test_as_a_process_it_prints_what_the_library_says(model: Path) -> None:
    import llavacli_core as core

    *_, done = core.load(str(model), device="cpu").generate(
        [core.Message("user", [core.Image("a.png"), "Describe this image in detail."])], core.Sampling(max_tokens=8)
    )
    assert isinstance(done, core.Done)
    result = process([sys.executable, "-m", "llavacli", "describe", "a.png"])
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.decode() == done.text.rstrip("\n") + "\n"
    with open("a.png", "rb") as file:
        piped = process([sys.executable, "-m", "llavacli", "describe", "-", "--json", "--tokens"], stdin=file)
    record = json.loads(piped.stdout)
    assert (record["text"], record["token_ids"]) == (done.text, list(done.token_ids))
    assert (record["prompt_text"], record["source"]) == (done.prompt_text, "-")
    assert (record["images"][0]["width"], record["images"][0]["height"]) == (40, 30)
    assert record["model"]["id"] == str(model)


def test_several_sources_and_several_faults(here: Run, model: Path) -> None:
    Path("empty.png").touch()
    Path("text.png").write_text("no picture")
    Path("half.png").write_bytes(Path("a.png").read_bytes()[:60])
    bad = ("nope.png", "empty.png", "text.png", "half.png", ".")
    result = here("describe", "--json", "a.png", *bad, "b.png")
    assert result.returncode == 3
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["source"] for record in records] == ["a.png", *bad, "b.png"]
    codes = [record["error"] and record["error"]["code"] for record in records]
    assert codes == [None, "input_missing", *["input_unreadable"] * 4, None]
    said = result.stderr.decode().splitlines()
    assert len(said) == len(bad)
    for name, line in zip(bad, said, strict=True):
        assert line.startswith(f"llavacli: error: {name}: ")


@pytest.mark.parametrize("data", [b"", b"no picture", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n"])
def test_a_single_unreadable_source(here: Run, model: Path, data: bytes) -> None:
    Path("x.png").write_bytes(data)
    result = here("describe", "x.png")
    assert (result.returncode, result.stdout) == (4, b"")
    assert result.stderr.startswith(b"llavacli: error: x.png: ")
    assert result.stderr.count(b"\n") == 1


def test_together_all_pictures_are_in_one_prompt(here: Run, model: Path) -> None:
    result = here("describe", "--together", "--json", "--tokens", "a.png", "b.png", "-p", "Which?")
    record = json.loads(result.stdout)
    assert record["prompt_text"].count("<image>") == 2
    assert [image["source"] for image in record["images"]] == ["a.png", "b.png"]
    assert record["usage"]["image_tokens"] == sum(image["tokens"] for image in record["images"])


def test_the_same_seed_gives_the_same_sample(here: Run, model: Path) -> None:
    first = json.loads(here("describe", "--json", "a.png", "--temperature", "2").stdout)
    seed = str(first["params"]["seed"])
    again = json.loads(here("describe", "--json", "a.png", "--temperature", "2", "--seed", seed).stdout)
    assert again["text"] == first["text"]


def test_a_prompt_that_is_too_long(here: Run, model: Path) -> None:
    long = "word " * 3000
    result = here("describe", "a.png", "b.png", "-p", long)
    assert (result.returncode, result.stdout) == (6, b"")
    assert result.stderr.count(b"\n") == 2


@pytest.mark.parametrize("name", ["nowhere/nothing", "./nothing", "nothing", "."])
def test_a_model_that_is_not_there(here: Run, model: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(Path("cache").absolute()))
    result = here("describe", "--offline", "-m", name, "a.png")
    assert (result.returncode, result.stdout) == (5, b"")
    assert result.stderr.startswith(b"llavacli: error: ")
    assert result.stderr.count(b"\n") == 1


def test_a_name_that_is_no_utf_8(here: Run, model: Path) -> None:
    os.rename("a.png", b"caf\xe9.png")
    result = here("describe", "--json", b"caf\xe9.png")
    assert os.fsencode(json.loads(result.stdout)["source"]) == b"caf\xe9.png"
