"""`llavacli mark`, and `describe --mark`: what is drawn, where it is written, what is refused."""

from __future__ import annotations

import io
import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import llavacli_core as core
from tests.llavacli.running import Run, shell

BOX = "box:25%,20%,75%,80%:lime:width=2"


def marked(source: str, *marks: str) -> np.ndarray:
    return np.asarray(core.draw_marks(source, [core.Mark.parse(mark) for mark in marks]))


@pytest.mark.parametrize("name", ["out.png", "out.webp", "out.TIFF", "out.bmp"])
def test_it_writes_what_the_library_draws(here: Run, name: str) -> None:
    result = here("mark", "a.png", "--mark", BOX, "--mark", "point:5,5:blue:radius=3", "-o", name)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")
    assert np.array_equal(np.asarray(Image.open(name)), marked("a.png", BOX, "point:5,5:blue:radius=3"))
    assert sorted(os.listdir()) == ["a.png", "b.png", name]


@pytest.mark.parametrize("name", ["out.jpg", "out.jpeg"])
def test_jpeg_keeps_the_colours_of_thin_lines(here: Run, name: str) -> None:
    assert here("mark", "a.png", "--mark", BOX, "-o", name).returncode == 0
    image = Image.open(name)
    assert image.format == "JPEG"
    assert np.abs(np.asarray(image).astype(int) - marked("a.png", BOX)).max() < 40


def test_resolution_and_colour_profile_are_kept(here: Run) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.open("a.png").save("c.jpg", icc_profile=profile, dpi=(300, 300))
    for name in ("out.png", "out.jpg", "out.tif"):
        assert here("mark", "c.jpg", "--mark", BOX, "-o", name).returncode == 0
        image = Image.open(name)
        assert image.info["icc_profile"] == profile
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_from_stdin_to_stdout(home: Path) -> None:
    result = shell(f"@ mark --mark {BOX} -o - < a.png | cat")
    assert (result.returncode, result.stderr) == (0, b"")
    image = Image.open(io.BytesIO(result.stdout))
    assert image.format == "PNG"
    assert np.array_equal(np.asarray(image), marked("a.png", BOX))


def test_what_exists_is_overwritten_only_by_force(here: Run) -> None:
    before = Path("b.png").read_bytes()
    result = here("mark", "a.png", "--mark", BOX, "-o", "b.png")
    assert result.returncode == 2
    assert result.stderr.startswith(b"llavacli: error: b.png: exists already (hint: ")
    assert Path("b.png").read_bytes() == before
    Path("b.png").chmod(0o640)
    assert here("mark", "a.png", "--mark", BOX, "-o", "b.png", "--force").returncode == 0
    assert np.array_equal(np.asarray(Image.open("b.png")), marked("a.png", BOX))
    assert stat.S_IMODE(Path("b.png").stat().st_mode) == 0o640


def test_the_picture_itself_is_told_apart_however_it_is_named(here: Run) -> None:
    os.symlink("a.png", "link.png")
    for name in ("a.png", "./a.png", "link.png"):
        result = here("mark", "a.png", "--mark", BOX, "-o", name)
        assert result.returncode == 2
        assert b"is the picture itself" in result.stderr
    expected = marked("a.png", BOX)
    assert here("mark", "a.png", "--mark", BOX, "-o", "link.png", "--force").returncode == 0
    assert Path("link.png").is_symlink()
    assert np.array_equal(np.asarray(Image.open("a.png")), expected)


@pytest.mark.parametrize(
    ("args", "code", "line"),
    [
        (["a.png", "-o", "x.png"], 2, "no mark given"),
        (["a.png", "--mark", BOX], 2, "nowhere to write to"),
        (["a.png", "--mark", BOX, "-o", ""], 2, "the name to write to is empty (hint: name a file, -o marked.png"),
        (["clip.mp4", "--mark", BOX, "-o", "x.png"], 2, "clip.mp4: marks are drawn on pictures, and this is a clip"),
        (["--mark", BOX, "-o", "x.png"], 2, "no picture given"),
        (["a.png", "--mark", BOX, "-o", "x.svg"], 2, "x.svg: its ending names no known format (hint: one of .png .jpg"),
        (["a.png", "--mark", BOX, "-o", "x"], 2, "x: its ending names no known format"),
        (
            ["a.png", "--mark", "bix:1,2", "-o", "x.png"],
            2,
            "there is no shape 'bix' (hint: the shapes are box, ellipse",
        ),
        (["a.png", "--mark", "box:1,2,3", "-o", "x.png"], 2, "(hint: write it as box:X1,Y1,X2,Y2, e.g. box:10%"),
        (
            ["a.png", "--mark", "box:50,50,60,60", "-o", "x.png"],
            2,
            "covers nothing of the picture, which has 40x30 pixels",
        ),
        (["nope.png", "--mark", BOX, "-o", "x.png"], 4, "nope.png: no such file"),
        (["text.png", "--mark", BOX, "-o", "x.png"], 4, "text.png: not a picture"),
        (["a.png", "--mark", BOX, "-o", "no/where.png"], 74, "cannot write no/where.png: No such file or directory"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mistake_is_one_line_and_leaves_no_file(here: Run, args: list[str], code: int, line: str) -> None:
    Path("text.png").write_text("no picture")
    Path("clip.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(40))
    before = sorted(os.listdir())
    result = here("mark", *args)
    assert (result.returncode, result.stdout) == (code, b"")
    assert line in result.stderr.decode()
    assert result.stderr.count(b"\n") == 1
    assert sorted(os.listdir()) == before


def test_a_full_disk(home: Path) -> None:
    os.symlink("/dev/full", "full.png")
    for target in ("-o - > /dev/full", "-o full.png"):
        result = shell(f"@ mark a.png --mark {BOX} {target}")
        assert result.returncode == 74
        assert b"No space left on device" in result.stderr


def test_marks_reach_the_core_and_the_record(ask: Run, home: Path) -> None:
    marks = ("--mark", "box:1,2,30,20", "--mark", "Point:0.5,0.5:#0F0:radius=2%")
    result = ask("describe", "--json", "--together", "a.png", "b.png", "-q", *marks)
    (record,) = map(json.loads, result.stdout.splitlines())
    canonical = ["box:1,2,30,20:red", "point:0.5,0.5:#0f0:radius=2%"]
    assert [image["marks"] for image in record["images"]] == [canonical, canonical]
    assert list(record["images"][0]) == ["source", "sha256", "width", "height", "tiles", "tokens", "marks"]
    (plain,) = map(json.loads, ask("describe", "--json", "a.png", "-q").stdout.splitlines())
    assert "marks" not in plain["images"][0]


def test_marks_in_the_environment_are_one_a_line(ask: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAVACLI_MARK", "box:1,2,30,20\n\npoint:3,4\n")
    (record,) = map(json.loads, ask("describe", "--json", "a.png", "-q").stdout.splitlines())
    assert record["images"][0]["marks"] == ["box:1,2,30,20:red", "point:3,4:red"]


def test_a_bad_mark_is_told_before_a_model_is_loaded(ask: Run, home: Path) -> None:
    result = ask("describe", "a.png", "--mark", "box:1,2,3", script={"log": "log"})
    assert result.returncode == 2
    assert result.stderr.startswith(b"llavacli: error: mark 'box:1,2,3': box takes 4 numbers, not 3 (hint: ")
    assert not Path("log").exists()
