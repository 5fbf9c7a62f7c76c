"""Which pictures a path, a folder or a list of paths stands for, in which order, and which are a shard's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llavacli.captioning.collecting import collect, listed
from llavacli.captioning.options import InputOptions
from llavacli.captioning.order import natural
from llavacli.captioning.sharding import parse
from llavacli.captioning.walking import Filter, walk
from llavacli.captioning.wording import on_one_line, whole_sentences
from llavacli.failures import UsageError


@pytest.fixture
def tree(home: Path) -> Path:
    """A folder, one within, and links that go round in circles."""
    (home / "t/in").mkdir(parents=True)
    for name in ("t/b.png", "t/in/a1.png", "t/in/A10.png", "t/in/a9.PNG", "t/in/notes.md"):
        (home / name).touch()
    os.symlink("..", home / "t/in/up")
    os.symlink("self", home / "t/self")
    os.symlink("in", home / "t/again")
    os.symlink("b.png", home / "t/link.png")
    return home


def found(*names: str, **options: object) -> list[str]:
    return [picture.path for picture in collect(names, InputOptions(**options)).pictures]  # type: ignore[arg-type]


def test_each_file_once_in_natural_order_whatever_the_links(tree: Path) -> None:
    expected = ["t/b.png", "t/in/a1.png", "t/in/a9.PNG", "t/in/A10.png", "t/link.png"]
    assert found("t") == expected
    assert found("t", "t/in", "./t/b.png") == expected
    assert found("t", recursive=False) == ["t/b.png", "t/link.png"]


def test_a_folder_that_is_reached_by_a_link_alone_is_entered(tree: Path) -> None:
    (tree / "new").mkdir()
    os.symlink("../t/in", tree / "new/linked")
    assert found("new") == [
        "new/linked/a1.png",
        "new/linked/a9.PNG",
        "new/linked/A10.png",
        "new/linked/up/b.png",
        "new/linked/up/link.png",
    ]


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ({"include": ["a*"]}, ["in/a1.png", "in/a9.PNG"]),
        ({"include": ["in/*"]}, ["in/a1.png", "in/a9.PNG", "in/A10.png", "in/notes.md"]),
        ({"exclude": ["in"]}, ["b.png", "link.png", "self"]),
        ({"exclude": ["in/", "self"]}, ["b.png", "link.png"]),
        ({"include": ["**/*.PNG", "**/b.png"]}, ["b.png", "in/a9.PNG"]),
        ({"include": ["in/**/a1.png", "in**/b.png"]}, ["in/a1.png"]),
        ({"exclude": ["**/in/", "**/**/self"]}, ["b.png", "link.png"]),
        ({"include": ["*.png"], "exclude": ["*1*"]}, ["b.png", "link.png"]),
    ],
    ids=str,
)
def test_globs(tree: Path, which: dict[str, list[str]], expected: list[str]) -> None:
    (tree / "t/again").unlink()
    assert walk("t", Filter(**which)).files == expected  # type: ignore[arg-type]


def test_a_file_url_is_the_path_that_it_means(tree: Path) -> None:
    """File managers copy files as such; each file is captioned once, and has a place for a sidecar."""
    (tree / "t/in/up").unlink()
    os.rename("t/b.png", "t/my b.png")
    pictures = collect(
        [(tree / "t/my b.png").as_uri(), "t/my b.png", (tree / "t/in").as_uri()], InputOptions()
    ).pictures
    assert [picture.name for picture in pictures] == ["my b.png", "a1.png", "a9.PNG", "A10.png"]
    assert pictures[0].folder == str(tree / "t")
    assert {picture.error for picture in pictures} == {None}


def test_other_urls_are_known_to_fail_before_a_model_is_loaded(home: Path) -> None:
    urls = ("ftp://example.org/a.png", "file://elsewhere/a.png", "https://example.org/b.png")
    pictures = collect(urls, InputOptions()).pictures
    assert [picture.error is not None for picture in pictures] == [True, True, False]


@pytest.mark.parametrize("url", ["https://example.org/x/a.mp4?size=2#t=1", "https://example.org/x/a.mp4#/b.png"])
def test_the_name_of_a_url_is_that_of_its_file(home: Path, url: str) -> None:
    (picture,) = collect([url], InputOptions(videos=True)).pictures
    assert (picture.name, picture.is_clip, picture.path) == ("a.mp4", True, url)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_closed_folder_is_one_error(tree: Path) -> None:
    (tree / "t/in").chmod(0)
    pictures = collect(["t"], InputOptions()).pictures
    assert [picture.path for picture in pictures if picture.error] == ["t/in"]
    (tree / "t/in").chmod(0o755)


def test_lists_of_paths(home: Path) -> None:
    Path("list").write_bytes(b"a.png\r\n\n-\ncaf\xe9.png\n b.png")
    assert listed("list", null=False) == ["a.png", "./-", "caf\udce9.png", " b.png"]
    Path("list").write_bytes(b"\xef\xbb\xbfa.png\r\n")
    assert listed("list", null=False) == ["a.png"]
    Path("list").write_bytes(b"a\nb.png\0-x.png\0")
    assert listed("list", null=True) == ["a\nb.png", "-x.png"]
    with pytest.raises(UsageError, match="holds NUL"):
        listed("list", null=False)


@given(st.lists(st.text("aB10²/", min_size=1), min_size=2, unique=True))
def test_the_order_does_not_depend_on_how_a_folder_is_listed(paths: list[str]) -> None:
    listed_backwards = list(reversed(paths))
    assert sorted(paths, key=natural) == sorted(listed_backwards, key=natural)


@given(st.text(), st.integers(1, 20))
def test_every_picture_is_in_one_shard(name: str, count: int) -> None:
    name = os.fsdecode(name.encode("utf-8", "replace"))
    assert sum(parse(f"{index}/{count}").has(name) for index in range(1, count + 1)) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two", "One."),
        ('He said "no!" And th', 'He said "no!"'),
        ("It is 3.5 m", "It is 3.5 m"),
        ("一只猫。还有", "一只猫。"),
        ("All. Of it.", "All. Of it."),
        ("", ""),
    ],
)
def test_whole_sentences(text: str, expected: str) -> None:
    assert whole_sentences(text) == expected


@given(st.text())
def test_on_one_line_there_is_one_line(text: str) -> None:
    assert len(on_one_line(text).splitlines()) <= 1
    assert "\t" not in on_one_line(text)
