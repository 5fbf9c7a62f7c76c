"""Paths in what is typed or pasted: found in every spelling of a terminal, told when they lead nowhere."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llavacli.repl.attachments import Attached, Found, find
from llavacli.repl.spelling import quoted
from tests.llavacli.conftest import picture

PNG = picture("a.png")
CLIP = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41" + bytes(100)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, which is home as well."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WSL_DISTRO_NAME", raising=False)
    return tmp_path


def put(*names: str, data: bytes = PNG) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(data)


def sources(text: str, *, pasted: bool = False) -> list[str]:
    """What is found, without a word of complaint; the text's pieces are the text."""
    found = find(text, pasted=pasted)
    assert not found.problems, found.problems
    assert literal(found) == text
    return [each.source for each in found.attachments]


def literal(found: Found) -> str:
    return "".join(each.literal if isinstance(each, Attached) else each for each in found.segments)


# Every name in every spelling


def by_backslashes(path: str) -> str:
    """As macOS' Terminal drops a file."""
    return "".join(c if c.isalnum() or c in "/._-" or not c.isascii() else f"\\{c}" for c in path)


def by_double_quotes(path: str) -> str:
    return '"' + "".join(f"\\{c}" if c in '"\\$`' else c for c in path) + '"'


def by_ansi_c(path: str) -> str:
    """As bash's `printf %q` writes what is unprintable."""
    return "$'" + "".join(f"\\{byte:03o}" if not 97 <= byte <= 122 else chr(byte) for byte in os.fsencode(path)) + "'"


def by_url(path: str) -> str:
    from urllib.parse import quote

    return "file://" + quote(os.fsencode(path))


SPELLINGS: dict[str, Callable[[str], str]] = {
    "single quotes": shlex.quote,
    "always quoted": lambda path: "'" + path.replace("'", "'\\''") + "'",
    "double quotes": by_double_quotes,
    "backslashes": by_backslashes,
    "ansi-c": by_ansi_c,
    "url": by_url,
    "url of localhost": lambda path: by_url(path).replace("file://", "file://localhost"),
    "url with one slash": lambda path: by_url(path).replace("file://", "file:"),
    "powershell": lambda path: "& '" + path.replace("'", "''") + "'",
    "ours": quoted,
}

NAMES = st.one_of(
    st.binary(min_size=1, max_size=30).map(os.fsdecode),
    st.text(min_size=1, max_size=30).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text)),
    st.text("ab'\"\\ $`&()[]!*?-.~\n\t\u202f\u00a0é", min_size=1, max_size=20),
).filter(lambda name: not {"/", "\0"} & set(name) and name not in (".", "..") and len(os.fsencode(name)) < 200)


@pytest.mark.parametrize("spelling", SPELLINGS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=NAMES, pasted=st.booleans())
def test_every_name_is_found_in_every_spelling(folder: Path, spelling: str, name: str, pasted: bool) -> None:
    path = f"{folder}/{name}"
    put(path)
    try:
        written = SPELLINGS[spelling](path)
        assert sources(written, pasted=pasted) == [path]
        assert sources(f"{written} \n", pasted=pasted) == [path]
        assert sources(f"what is {written} about?", pasted=pasted) == [path]
        assert sources(f"compare {written} {written}", pasted=pasted) == [path, path]
    finally:
        os.unlink(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=NAMES)
def test_every_name_is_found_as_it_is(folder: Path, name: str) -> None:
    """A path that nobody marked is found when it is all there is."""
    path = f"{folder}/{name}"
    put(path)
    try:
        assert sources(path, pasted=True) == [path]
        if name == name.strip():
            assert sources(f"  {path}\n", pasted=True) == [path]
    finally:
        os.unlink(path)


# The forms one by one


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("cat.jpg", "cat.jpg"),
        ("./cat.jpg what is it", "./cat.jpg"),
        ("my cat (1).jpg", "my cat (1).jpg"),
        (r"what is my\ cat\ \(1\).jpg?", "my cat (1).jpg"),
        ("is 'it'\\''s me.jpg' good", "it's me.jpg"),
        ("‘my cat (1).jpg’", "my cat (1).jpg"),
        ("“my cat (1).jpg”, please", "my cat (1).jpg"),
        ('"my cat (1).jpg".', "my cat (1).jpg"),
        ("& 'my cat (1).jpg'", "my cat (1).jpg"),
        ("& 'it''s me.jpg'", "it's me.jpg"),
        ("@cat.jpg what is it", "cat.jpg"),
        ('@"my cat (1).jpg" what is it', "my cat (1).jpg"),
        ("(cat.jpg)", "cat.jpg"),
        ("it is in [cat.jpg], or is it?", "cat.jpg"),
        ("here it is:\n\n  cat.jpg  \n\nwhat is it", "cat.jpg"),
        ("-rf.jpg", "-rf.jpg"),
        ("look\u00a0at\u00a0cat.jpg", "cat.jpg"),
        ("./my cat (1).jpg what is it", "./my cat (1).jpg"),
    ],
)
def test_forms(folder: Path, text: str, name: str) -> None:
    put("cat.jpg", "my cat (1).jpg", "it's me.jpg", "-rf.jpg")
    assert sources(text) == [name]


def test_home(folder: Path) -> None:
    put("pictures of me/cat.jpg")
    for text in ("~/pictures\\ of\\ me/cat.jpg", '"~/pictures of me/cat.jpg"', "~/pictures of me/cat.jpg"):
        assert sources(text) == [f"{folder}/pictures of me/cat.jpg"]


def test_several(folder: Path) -> None:
    put("a b.jpg", "c.png")
    put("d.mov", data=CLIP)
    found = find("'a b.jpg' c.png\nd.mov\nwhat are they?", pasted=True)
    assert found.segments == (
        Attached("a b.jpg", "image", "'a b.jpg'"),
        " ",
        Attached("c.png", "image", "c.png"),
        "\n",
        Attached("d.mov", "video", "d.mov"),
        "\nwhat are they?",
    )
    assert found.text(["[1]", "[2]", "[3]"]) == "[1] [2]\n[3]\nwhat are they?"
    assert sources("'a b.jpg''c.png'") == ["a b.jpg", "c.png"]
    assert sources(f"{folder}/a b.jpg\r\n{folder}/c.png\r\n", pasted=True) == [f"{folder}/a b.jpg", f"{folder}/c.png"]
    assert sources("./a b.jpg ./c.png") == ["./a b.jpg", "./c.png"]


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u202f"])
def test_screenshots_of_macos(folder: Path, blank: str) -> None:
    """A name with U+202F before AM is found, also when copying has made a common blank of it."""
    name = "Screenshot 2024-05-01 at 10.00.00\u202fAM.png"
    put(name)
    given = name.replace("\u202f", blank)
    for text in (given, f"'{given}'", given.replace(" ", "\\ "), f"what is '{given}'?"):
        assert sources(text) == [name]


def test_accents_stored_otherwise(folder: Path) -> None:
    put("cafe\u0301.png")
    assert sources("what is caf\u00e9.png") == ["cafe\u0301.png"]


def test_content_decides_what_it_is(folder: Path) -> None:
    put("clip.jpg", data=CLIP)
    put("picture.mp4", "picture.txt", "sub/none")
    kinds = [each.kind for each in find("clip.jpg picture.mp4 picture.txt sub/none", pasted=False).attachments]
    assert kinds == ["video", "image", "image", "image"]


def test_urls(folder: Path) -> None:
    text = "see https://example.org/cats/a.JPG?w=100, (http://example.org/b.mp4) and http://example.org or x.org/a"
    found = find(text, pasted=False)
    assert [(each.source, each.kind) for each in found.attachments] == [
        ("https://example.org/cats/a.JPG?w=100", "image"),
        ("http://example.org/b.mp4", "video"),
    ]
    assert not found.problems
    assert not find("https://example.org/page.html *.jpg", pasted=True).attachments


def test_windows_paths_where_wsl_has_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from llavacli.repl.lookup import wsl_path

    assert wsl_path(r"C:\Users\me\my cat.jpg", "Ubuntu") == "/mnt/c/Users/me/my cat.jpg"
    assert wsl_path("d:/cat.jpg", "Ubuntu") == "/mnt/d/cat.jpg"
    assert wsl_path(r"\\wsl$\Ubuntu\home\me\cat.jpg", "Ubuntu") == "/home/me/cat.jpg"
    assert wsl_path(r"\\wsl.localhost\Debian\home\me\cat.jpg", "Ubuntu") is None
    assert wsl_path(r"\\server\share\cat.jpg", "Ubuntu") is None
    assert wsl_path(r"C:\cat.jpg") is None
    monkeypatch.setenv("WSL_DISTRO_NAME", "Ubuntu")
    put("my cat.jpg")
    share = rf"\\wsl.localhost\Ubuntu{folder}\my cat.jpg".replace("/", "\\")
    for text in (share, f'"{share}"', f"& '{share}'", f"{share} what is it"):
        assert sources(text, pasted=True) == [f"{folder}/my cat.jpg"]


def test_windows_paths_elsewhere_are_problems(folder: Path) -> None:
    for text in (r"C:\Users\me\cat.jpg", r'"C:\Users\me\my cat.jpg" what is it', r"& 'C:\Users\me\my cat.jpg'"):
        (problem,) = find(text, pasted=True).problems
        assert problem.failure.code == "input_missing"
        assert r"C:\Users\me" in problem.failure.message


# What leads nowhere


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("/no/such/cat.jpg", "/no/such/cat.jpg"),
        ("what is images/cat.jpg?", "images/cat.jpg"),
        ("what is ~/P/c.jpg", "~/P/c.jpg"),
        ("../cat.HEIC", "../cat.HEIC"),
        ("'/no such/my cat.png' what is it", "'/no such/my cat.png'"),
        ("/no/such/my cat.png what is it", "/no/such/my cat.png"),
        ("/no\\ such/cat.png", "/no\\ such/cat.png"),
        ("file:///no/such/my%20cat.webp", "file:///no/such/my%20cat.webp"),
        ("look: file:/no/such/clip.mp4.", "file:/no/such/clip.mp4"),
        ("@cat.gif what is it", "@cat.gif"),
        ("cat.jpg", "cat.jpg"),
        (" cat.jpg\n", "cat.jpg"),
        ("example.org/cat.jpg", "example.org/cat.jpg"),
    ],
)
@pytest.mark.parametrize("pasted", [False, True])
def test_no_such_file(folder: Path, text: str, literal: str, pasted: bool) -> None:
    found = find(text, pasted=pasted)
    assert [problem.literal for problem in found.problems] == [literal]
    assert found.segments == (text,)
    (problem,) = found.problems
    assert problem.failure.code == "input_missing"
    assert problem.failure.message.startswith(f"{literal}: no such file")
    assert problem.tried
    assert all(os.path.isabs(path) for path in problem.tried)


def test_what_was_tried_is_told(folder: Path) -> None:
    (problem,) = find("what is ~/P/c.jpg", pasted=False).problems
    assert f"{folder}/P/c.jpg" in problem.failure.message
    assert problem.failure.hint is not None


def test_other_machines(folder: Path) -> None:
    (problem,) = find("file://server/cat.jpg", pasted=True).problems
    assert problem.failure.code == "url"
    assert "another machine" in problem.failure.message
    (problem,) = find("what is ftp://example.org/cat.jpg", pasted=False).problems
    assert (problem.failure.code, problem.tried) == ("url", ())


def test_there_but_no_picture(folder: Path) -> None:
    put("page.jpg", data=b"<html>not found</html>")
    put("empty.png", data=b"")
    os.mkfifo("pipe.png")
    os.mkdir("folder.png")
    found = find("what is page.jpg, empty.png, pipe.png or folder.png?", pasted=False)
    assert [problem.literal for problem in found.problems] == ["page.jpg", "empty.png", "pipe.png", "folder.png"]
    reasons = [problem.failure.message.partition(": ")[2] for problem in found.problems]
    assert reasons == [
        "is no picture and no clip that can be read",
        "the file is empty",
        "is not a regular file",
        "is a folder, not a picture",
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permission_denied(folder: Path) -> None:
    put("secret.png")
    os.chmod("secret.png", 0)
    (problem,) = find("what is secret.png", pasted=False).problems
    assert "permission denied" in problem.failure.message


def test_a_bare_name_in_a_sentence_is_a_hint(folder: Path) -> None:
    found = find("compare cat.jpg and dog.jpg with cat.jpg", pasted=False)
    assert found.segments == ("compare cat.jpg and dog.jpg with cat.jpg",)
    assert not found.problems
    (hint,) = found.hints
    assert hint.startswith("cat.jpg, dog.jpg: no such file here")
    put("dog.jpg")
    assert [each.source for each in find("compare cat.jpg and dog.jpg", pasted=False).attachments] == ["dog.jpg"]


def test_folders(folder: Path) -> None:
    put("my photos/a.jpg", "my photos/b.png", "my photos/c.jpg", "empty/notes.txt")
    for text in ("./my\\ photos/", f"{folder}/my photos", "'my photos/'"):
        (problem,) = find(text, pasted=True).problems
        assert problem.failure.hint is not None
        assert problem.failure.hint.endswith("my photos'/*.jpg")
    (problem,) = find("./empty", pasted=False).problems
    assert "neither pictures nor clips" in str(problem.failure)
    for text in ("empty", "what is in ./empty", "/", "."):
        assert find(text, pasted=False) == Found((text,))


def test_a_pasted_path_of_another_kind_is_told(folder: Path) -> None:
    put("sub/notes.txt", data=b"a text")
    assert find("./sub/notes.txt", pasted=True).hints == (
        "./sub/notes.txt is no picture and no clip, so its name is sent as words",
    )
    assert find("read ./sub/notes.txt", pasted=True) == Found(("read ./sub/notes.txt",))


def test_a_name_without_dot_or_separator_counts_when_pasted_alone(folder: Path) -> None:
    put("cat")
    assert sources("cat", pasted=True) == ["cat"]
    assert sources("what does a cat eat", pasted=True) == []
    assert sources("cat") == []
    assert sources("./cat") == ["./cat"]


# Prose

PROSE = [
    "and/or, 3/4, 24/7, he/she and TCP/IP are words",
    "see http://example.org, https://example.org/page.html and ftp://example.org/",
    "the formats are .jpg/.png, jpg/png and *.jpg",
    "it's what they don't say: \"look here\" isn't 'there'",
    "e.g. version 3.11.2 of foo.bar() costs $5.00 (or ~5)...",
    "import {x} from './app.ts' and src/index.ts",
    "write `images/cat.jpg` or `~/cat.png` there",
    "```\nopen('images/cat.jpg')\n/home/me/cat.jpg\n```\nwhat does it do?",
    'cv2.imread("images/cat.jpg")',
    "![logo](docs/logo.png) <img src='docs/logo.png'>",
    "C:\\ is a drive; a\\b is not; \\n is a newline",
    "mail me@example.org or @someone, #1 & co; [Image #1] ~ [Video #2]",
    "«guillemets», “curly” and ‘single’ ones; 日本語の文章。",
    "\x1b[31mred\x1b[0m and \u202ebidi\u202c",
    "file: see below; file:// is a scheme",
    "",
    " \n\t",
]


@pytest.mark.parametrize("text", PROSE)
@pytest.mark.parametrize("pasted", [False, True])
def test_prose_is_left_alone(folder: Path, text: str, pasted: bool) -> None:
    found = find(text, pasted=pasted)
    assert literal(found) == text
    assert not found.attachments
    assert not found.problems


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.sampled_from([*" ".join(PROSE).split(), "a.png", "'", '"', "\\", "\n", "(", "`"])))
def test_words_in_any_order_are_never_eaten(folder: Path, words: list[str]) -> None:
    put("a.png")
    found = find(" ".join(words), pasted=False)
    assert literal(found) == " ".join(words)
    assert {each.source for each in found.attachments} <= {"a.png"}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(), pasted=st.booleans())
def test_any_text_is_never_eaten(folder: Path, text: str, pasted: bool) -> None:
    found = find(text, pasted=pasted)
    assert found.segments == ((text,) if text else ())


@pytest.mark.parametrize(
    "piece", ["a/b.c ", "/a ", "'", '"\\', "(((((", "x.jpg ", "\u00a0a", "a" * 50, "`a", "/a/b.png\n", "$'\\", "./'\" "]
)
def test_a_long_text_takes_no_long_time(folder: Path, piece: str) -> None:
    text = (piece * 1_000_000)[:1_000_000]
    start = time.process_time()
    found = find(text, pasted=True)
    assert time.process_time() - start < 10  # a second or so, where nothing else runs
    assert literal(found) == text


def test_where_the_search_ended_is_told(folder: Path) -> None:
    put("cat.png")
    found = find("a/b " * 20_000 + "cat.png", pasted=True)
    assert found.attachments == ()
    assert found.hints == ("only the first 80000 characters of so long a text were searched for pictures and clips",)
