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


class TestClips:
    """Clips and pictures, with a tiny LLaVA-NeXT-Video."""

    @pytest.fixture(autouse=True)
    def video(self, model: Path, checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
        from tests.reference.clips import Clip, as_file

        monkeypatch.setenv("LLAVACLI_MODEL", str(checkpoint("video")))
        Path("clip").write_bytes(as_file(Clip(24)))

    def test_the_numbers_of_its_frames_are_recorded(self, here: Run) -> None:
        record = json.loads(here("describe", "--json", "--tokens", "clip", "--frames", "8").stdout)
        (seen,) = record["videos"]
        assert (seen["source"], seen["frames"]) == ("clip", [0, 3, 6, 9, 12, 15, 18, 21])
        assert record["usage"]["image_tokens"] == seen["tokens"]
        assert "<video>\nDescribe this video in detail." in record["prompt_text"]

    def test_a_clip_that_breaks_off(self, here: Run) -> None:
        from tests.media.clip_files import Recipe, made

        whole = made(Recipe(container="matroska", options={"g": "12"}))
        Path("cut").write_bytes(whole[: len(whole) // 2])
        for args in (("cut",), ("--together", "a.png", "cut"), ("--dry-run", "cut")):
            result = here("describe", "--json", "--frames", "4", *args)
            assert result.returncode == 0
            (warning,) = (line for line in result.stderr.decode().splitlines() if "warning" in line)
            assert warning.startswith("llavacli: warning: cut: the file is cut off or damaged; ")
        record = json.loads(here("describe", "-q", "--json", "--frames", "4", "cut").stdout)
        assert [warning.partition(";")[0] for warning in record["warnings"]] == ["cut: the file is cut off or damaged"]
        assert json.loads(here("describe", "-q", "--json", "--frames", "4", "clip").stdout)["warnings"] == []

    def test_together_with_a_picture(self, here: Run) -> None:
        record = json.loads(here("describe", "--json", "--together", "clip", "a.png", "--frames", "2").stdout)
        assert [seen["source"] for seen in record["images"] + record["videos"]] == ["a.png", "clip"]
        assert record["usage"]["image_tokens"] == sum(seen["tokens"] for seen in record["images"] + record["videos"])

    def test_a_dry_run_lists_frames_and_tokens(self, here: Run) -> None:
        shown = here("describe", "--dry-run", "clip", "--frames", "3").stdout.decode()
        assert "\nclip     clip: 60x44, 3 frames (0 8 16), " in shown
        assert " of them for clips\n" in shown
        many = here("describe", "--dry-run", "clip", "--frames", "20").stdout.decode()
        assert ", 20 frames (0 1 2 3 4 6 7 8 ... 22), " in many

    def test_a_model_without_video_refuses_clips_and_goes_on_with_pictures(
        self, here: Run, checkpoint: Callable[[str], Path]
    ) -> None:
        result = here("describe", "--json", "clip", "a.png", "-m", str(checkpoint("next-vicuna")))
        assert result.returncode == 3
        refused, answered = map(json.loads, result.stdout.splitlines())
        assert (refused["error"]["code"], answered["status"]) == ("input_unreadable", "ok")
        assert result.stderr.startswith(
            b"llavacli: error: clip: this model takes no videos (hint: choose one that does"
        )


def test_marks_are_drawn_before_the_model_sees_the_picture(here: Run, model: Path) -> None:
    """A marked picture is answered as the picture that `mark` writes."""
    marks = ("--mark", "box:10%,10%,60%,60%:lime", "--mark", "arrow:0.9,0.9,0.5,0.5:blue")
    assert here("mark", "a.png", *marks, "-o", "marked.png").returncode == 0
    drawn, written, plain = (
        json.loads(here("describe", "--json", "--tokens", *args).stdout)
        for args in (("a.png", *marks), ("marked.png",), ("a.png",))
    )
    assert drawn["token_ids"] == written["token_ids"] != plain["token_ids"]
    assert drawn["images"][0]["sha256"] == plain["images"][0]["sha256"]
    assert drawn["images"][0]["marks"] == ["box:10%,10%,60%,60%:lime", "arrow:0.9,0.9,0.5,0.5:blue"]
    plan = here("describe", "--dry-run", "a.png", *marks).stdout.decode()
    assert ", marked box:10%,10%,60%,60%:lime arrow:0.9,0.9,0.5,0.5:blue\n" in plan


def test_a_mark_that_misses_one_picture_is_that_pictures_failure(here: Run, model: Path) -> None:
    from PIL import Image

    Image.new("RGB", (400, 300)).save("large.png")
    sources = ("large.png", "a.png", "nope.png", "large.png")
    for more in ((), ("--dry-run",)):
        result = here("describe", "--json", *sources, "--mark", "box:100,100,200,200", *more)
        assert result.returncode == 3
        records = [json.loads(line) for line in result.stdout.splitlines()]
        assert [record["error"] and record["error"]["code"] for record in records] == [
            *(None, "option", "input_missing", None),
        ]
        missed, missing = result.stderr.decode().splitlines()
        assert missed.startswith("llavacli: error: a.png: mark 'box:100,100,200,200:red' covers nothing")
        assert missing.startswith("llavacli: error: nope.png: no such file")
    alone = here("describe", "a.png", "--mark", "box:100,100,200,200")
    assert (alone.returncode, alone.stdout) == (2, b"")
    together = here("describe", "--together", "large.png", "a.png", "--mark", "box:100,100,200,200")
    assert together.stderr.startswith(b"llavacli: error: a.png: mark ")


class TestCaptioner:
    """A tiny ViT with GPT-2."""

    @pytest.fixture(autouse=True)
    def captioner(self, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from tests.parity.test_captions import small_files
        from tests.reference import captioners

        captioners.write(captioners.BY_NAME["vit+gpt2"], Path("captioner"))
        small_files(Path("captioner"))
        monkeypatch.setenv("LLAVACLI_MODEL", "./captioner")
        monkeypatch.delenv("LLAVACLI_MAX_TOKENS")

    def test_a_caption(self, here: Run) -> None:
        record = json.loads(here("describe", "--json", "--tokens", "a.png").stdout)
        assert (record["prompt"], record["prompt_text"]) == (None, "")
        assert record["params"]["max_tokens"] == 20  # as transformers has it, where the checkpoint says nothing
        assert 1 <= len(record["token_ids"]) <= 20
        beams = json.loads(here("describe", "--json", "a.png", "--beams", "3", "--length-penalty", "-5").stdout)
        assert beams["params"] | {"beams": 3, "length_penalty": -5.0} == beams["params"]

    def test_a_dry_run(self, here: Run) -> None:
        shown = here("describe", "--dry-run", "a.png").stdout.decode().splitlines()
        assert shown[0].startswith("picture  a.png: 40x30, 1 tile")
        assert shown[1:3] == ["prompt   none: this model captions by itself", "answer   20 tokens at most"]

    def test_words_and_clips_are_refused(self, here: Run) -> None:
        for args, hint in (
            (("-p", "What?"), b"(hint: leave out --prompt; "),
            (("-s", "Be brief."), b"(hint: leave out --system; "),
            (("--together", "b.png"), b"at a time, not 2 (hint: give one picture at a time)"),
        ):
            result = here("describe", "a.png", *args)
            assert (result.returncode, result.stdout) == (2, b"")
            assert hint in result.stderr
