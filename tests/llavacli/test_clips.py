"""Clips among the sources, told by their content; captioners, which are asked nothing."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.llavacli.running import Result, Run

CLIP = b"\0\0\0\x18ftypisom" + bytes(40)
PICTURE_PROMPT = "Describe this image in detail."
CLIP_PROMPT = "Describe this video in detail."


@pytest.fixture(autouse=True)
def clips(home: Path) -> None:
    """A clip that is named like a picture, and an animation."""
    Path("clip.png").write_bytes(CLIP)
    file = io.BytesIO()
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime")]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    Path("moving.gif").write_bytes(file.getvalue())


def records(result: Result[bytes]) -> list[dict[str, Any]]:
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_clip_is_told_by_its_content_and_has_a_prompt_of_its_own(ask: Run) -> None:
    picture, clip = records(ask("describe", "--json", "-q", "a.png", "clip.png", "--frames", "4"))
    assert (picture["prompt"], clip["prompt"]) == (PICTURE_PROMPT, CLIP_PROMPT)
    assert (picture["videos"], clip["images"]) == ([], [])
    (seen,) = clip["videos"]
    assert len(seen.pop("sha256")) == 64
    assert list(seen.items()) == [
        *(("source", "clip.png"), ("width", 16), ("height", 9), ("frames", [0, 25, 50, 75]), ("tokens", 4)),
    ]
    assert clip["params"]["frames"] == 4


def test_a_clip_from_stdin(scripted: Run) -> None:
    (record,) = records(scripted("describe", "--json", "-q", "-", "--fps", "2.5", input=CLIP))
    assert (record["videos"][0]["source"], record["params"]["fps"]) == ("-", 2.5)


def test_together_they_are_in_the_order_given(ask: Run) -> None:
    args = ("describe", "--json", "-q", "--together", "clip.png", "a.png", "moving.gif", "b.png")
    (record,) = records(ask(*args, script={"log": "log"}))
    assert json.loads(Path("log").read_text().splitlines()[1])["parts"] == ["Video", *["Image"] * 3, "str"]
    assert [image["source"] for image in record["images"]] == ["a.png", "moving.gif", "b.png"]
    assert [video["source"] for video in record["videos"]] == ["clip.png"]
    assert record["prompt"] == PICTURE_PROMPT


@pytest.mark.parametrize("option", [("--frames", "2"), ("--fps", "1")])
def test_an_animation_is_a_clip_when_frames_are_asked_for(ask: Run, option: tuple[str, str]) -> None:
    still, moving, picture = (
        records(ask("describe", "--json", "-q", *args))[0]
        for args in (("moving.gif",), ("moving.gif", *option), ("a.png", *option))
    )
    assert [len(record["videos"]) for record in (still, moving, picture)] == [0, 1, 0]


@pytest.mark.parametrize(
    ("url", "is_clip"),
    [
        ("https://example.org/a.MP4?x=1", True),
        ("http://example.org/a.webm", True),
        ("https://example.org/mp4", False),
        ("https://example.org/a.png?name=b.mp4", False),
    ],
)
def test_a_url_is_told_by_its_ending(url: str, is_clip: bool) -> None:
    from llavacli.sources import named

    assert named([url])[0].is_clip is is_clip


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["--frames", "4", "--fps", "1"], "frames and fps exclude each other"),
        (["--frames", "0"], "frames must be at least 1, not 0"),
        (["--fps", "0"], "fps must be above 0, not 0"),
        (["--fps", "nan"], "fps must be above 0, not nan"),
        (["--mark", "box:1,2,3,4"], "clip.png: marks are drawn on pictures, and this is a clip"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_told_before_a_model_is_loaded(ask: Run, args: list[str], line: str) -> None:
    result = ask("describe", "a.png", "clip.png", *args, script={"log": "log"})
    assert (result.returncode, result.stdout) == (2, b"")
    assert line in result.stderr.decode()
    assert result.stderr.count(b"\n") == 1
    assert not Path("log").exists()


def test_a_captioner_is_asked_nothing(ask: Run) -> None:
    (record,) = records(ask("describe", "--json", "-q", "a.png", script={"captioner": True, "log": "log"}))
    asked = json.loads(Path("log").read_text().splitlines()[1])
    assert (asked["parts"], asked["max_tokens"]) == (["Image"], None)
    assert (record["prompt"], record["system"], record["params"]["max_tokens"]) == (None, None, 20)
    assert (record["model"]["template"], record["model"]["template_origin"]) == (None, None)


@pytest.mark.parametrize("flag", ["--prompt", "--system"])
def test_words_for_a_captioner_are_refused_once(ask: Run, flag: str) -> None:
    result = ask("describe", "--json", "-q", "a.png", "b.png", flag, "What?", script={"captioner": True})
    assert result.returncode == 2
    said = result.stderr.decode()
    assert said.startswith(f"llavacli: error: this model writes captions without a prompt (hint: leave out {flag}; ")
    assert said.count("\n") == 1
    assert [json.loads(line)["error"]["code"] for line in result.stdout.splitlines()] == ["option", "option"]


def test_the_limit_that_held_is_recorded(ask: Run) -> None:
    answered, failed = (
        json.loads(line)
        for line in ask(
            "describe", "--json", "-q", "a.png", "b.png", script={"fail": {"b.png": "input_unreadable"}}
        ).stdout.splitlines()
    )
    assert (answered["params"]["max_tokens"], failed["params"]["max_tokens"]) == (256, None)
