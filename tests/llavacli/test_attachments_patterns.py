"""What /image is given: paths in quotes or not, patterns, URLs; none is an error that says why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import llavacli_core as core
from llavacli.repl.patterns import expand
from tests.llavacli.conftest import picture

CLIP = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41" + bytes(100)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder, home as well, with pictures, a clip and a text."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("b.jpg", "a.jpg", "my cats/c 1.jpg", "my cats/d.png", "deep/down/e.jpg", "[x].jpg", "x.jpg"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(picture("a.png"))
    Path("clip.mov").write_bytes(CLIP)
    Path("notes.txt").write_bytes(b"a text")
    Path("empty").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("argument", "names"),
    [
        ("a.jpg", ["a.jpg"]),
        ("b.jpg a.jpg", ["b.jpg", "a.jpg"]),
        ("?.jpg", ["a.jpg", "b.jpg", "x.jpg"]),
        ("[ab].jpg", ["a.jpg", "b.jpg"]),
        ("[x].jpg", ["[x].jpg"]),
        ("my cats/c 1.jpg", ["my cats/c 1.jpg"]),
        ("my\\ cats/*.jpg", ["my cats/c 1.jpg"]),
        ("'my cats'/*", ["my cats/c 1.jpg", "my cats/d.png"]),
        ('"my cats/c 1.jpg" b.jpg', ["my cats/c 1.jpg", "b.jpg"]),
        ("**/e.*", ["deep/down/e.jpg"]),
        ("~/my\\ cats/d*", ["~/my cats/d.png"]),
        ("*.mov a.jpg", ["clip.mov", "a.jpg"]),
        ("*s.txt *.mov *", None),
        ("https://example.org/x?id=1 a.jpg", ["https://example.org/x?id=1", "a.jpg"]),
        (" a.jpg\n", ["a.jpg"]),
        ("", []),
    ],
)
def test_names(folder: Path, argument: str, names: list[str] | None) -> None:
    if names is None:
        with pytest.raises(core.errors.UnreadableInput, match="a file matches, and is no picture and no clip"):
            expand(argument)
        return
    sources = expand(argument)
    assert [source.name for source in sources] == [name.replace("~", str(folder)) for name in names]
    assert [source.content for source in sources] == [source.name for source in sources]
    assert [source.is_clip for source in sources] == [source.name.endswith(".mov") for source in sources]


def test_files_of_other_kinds_are_left_out_of_a_pattern() -> None:
    assert [source.name for source in expand("*")] == ["[x].jpg", "a.jpg", "b.jpg", "clip.mov", "x.jpg"]


@pytest.mark.parametrize(
    ("argument", "error", "message"),
    [
        ("*.gif", core.errors.MissingInput, "*.gif: no file matches"),
        ("'*.jpg'", core.errors.MissingInput, "*.jpg: no such file"),
        ("a.jpg none.jpg", core.errors.MissingInput, "none.jpg: no such file"),
        ("notes.txt", core.errors.UnreadableInput, "notes.txt: is no picture and no clip that can be read"),
        ("file://server/a.jpg", core.errors.UrlError, "file://server/a.jpg: names a file on another machine"),
        ("a" * 5000, core.errors.MissingInput, "no such file"),
    ],
)
def test_errors(argument: str, error: type[core.errors.InputError], message: str) -> None:
    with pytest.raises(error) as raised:
        expand(argument)
    assert message in str(raised.value)
    assert raised.value.hint


def test_a_folder_says_how_to_name_what_is_in_it() -> None:
    for argument in ("my cats", "'my cats/'", f"{os.getcwd()}/my\\ cats"):
        with pytest.raises(core.errors.UnreadableInput) as raised:
            expand(argument)
        assert raised.value.hint is not None
        assert raised.value.hint.endswith("cats'/*.jpg")
        suggested = raised.value.hint.partition("/image ")[2]
        assert [Path(source.name).name for source in expand(suggested)] == ["c 1.jpg"]
    with pytest.raises(core.errors.UnreadableInput, match="folder") as raised:
        expand("empty")
    assert raised.value.hint == "it holds neither pictures nor clips; name a file"
