"""`caption` over a scripted core: what is captioned, what is said, what is kept, and what a second run does."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from llavacli.captioning.places import Places
from llavacli.captioning.provenance import _identity
from tests.llavacli.conftest import picture
from tests.llavacli.running import Run
from tests.llavacli.scripted import INFO

CAPTION = "A red circle."


@pytest.fixture
def photos(home: Path) -> Path:
    """A folder with pictures in it and in a folder within, and what is none."""
    folder = home / "photos"
    (folder / "sub").mkdir(parents=True)
    for name in ("a10.png", "a2.png", "sub/c.jpg"):
        (folder / name).write_bytes(picture("a.png"))
    (folder / "notes.txt").write_text("no picture")
    (folder / "clip.mp4").write_text("no clip")
    (folder / ".hidden.png").write_text("hidden")
    return Path("photos")


def rows(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def log() -> list[dict[str, Any]]:
    return [entry for entry in rows("log") if "prompt" in entry]


def test_lines_in_natural_order(ask: Run, photos: Path) -> None:
    result = ask("caption", "photos")
    paths = ["photos/a2.png", "photos/a10.png", "photos/sub/c.jpg"]
    assert result.stdout.decode().splitlines() == [f"{path}\t{CAPTION}" for path in paths]
    assert result.returncode == 0
    said = result.stderr.decode().splitlines()
    assert "llavacli: clips left out: 1 (--videos captions them too)" in said
    assert said[-1].startswith("llavacli: 3 captioned; ")


def test_line_breaks_become_spaces_and_odd_names_can_be_had_back(ask: Run, home: Path) -> None:
    Path("tab\there\nand\\there.png").write_bytes(picture("a.png"))
    Path(os.fsdecode(b"caf\xe9.png")).write_bytes(picture("a.png"))
    script = {"pieces": ["A red\n\ncircle", "\tand more. \n"]}
    result = ask("caption", "-q", "tab\there\nand\\there.png", b"caf\xe9.png", script=script)
    assert result.stdout.splitlines() == [
        b"tab\\there\\nand\\\\there.png\tA red circle and more.",
        b"caf\xe9.png\tA red circle and more.",
    ]


def test_records_are_those_of_describe_with_a_fingerprint(ask: Run, photos: Path) -> None:
    captioned = json.loads(ask("caption", "-q", "--json", "a.png").stdout)
    described = json.loads(ask("describe", "-q", "--json", "a.png").stdout)
    assert list(captioned) == [*described, "fingerprint"]
    assert {key: captioned[key] for key in described} == described
    assert len(captioned["fingerprint"]) == 16


def test_a_bad_picture_is_one_record_and_exit_code_3(ask: Run, photos: Path) -> None:
    result = ask("caption", "--json", "photos", "nope.png", script={"fail": {"a2.png": "input_unreadable"}})
    assert result.returncode == 3
    records = [json.loads(line) for line in result.stdout.splitlines()]
    codes = {record["source"]: record["error"] and record["error"]["code"] for record in records}
    assert codes == {
        "nope.png": "input_missing",
        "photos/a2.png": "input_unreadable",
        "photos/a10.png": None,
        "photos/sub/c.jpg": None,
    }
    assert "2 captioned, 2 failed (1 input_missing, 1 input_unreadable)" in result.stderr.decode().splitlines()[-1]


def test_verbose_tells_of_each_answer(ask: Run, photos: Path) -> None:
    said = ask("caption", "-v", "photos", "-o", "out.jsonl").stderr.decode()
    assert all(f"llavacli: photos/{name}: " in said for name in ("a2.png", "a10.png", "sub/c.jpg"))
    assert "the first after" in said


def test_all_bad_has_the_code_of_what_they_share(ask: Run, home: Path) -> None:
    result = ask("caption", "nope.png", "nor.png", script={"load": "fault"})
    assert (result.returncode, result.stdout) == (4, b"")


@pytest.mark.parametrize("output", ["-o=out.jsonl", "-o=out.csv", "-o=photos/metadata.jsonl", "--sidecar"])
def test_a_second_run_does_only_what_is_missing(ask: Run, photos: Path, output: str) -> None:
    args = ["-o", output.removeprefix("-o=")] if output.startswith("-o") else [output]
    failing = {"fail": {"a2.png": "input_unreadable"}, "log": "log"}
    assert ask("caption", "-q", "photos", "--limit", "2", *args, script=failing).returncode == 3
    assert len(log()) == 2
    result = ask("caption", "photos", *args, script={"log": "log"})
    assert (result.returncode, result.stdout) == (3, b"")
    assert len(log()) == 3
    assert "1 captioned, 1 skipped, 1 failed before" in result.stderr.decode()
    result = ask("caption", "photos", *args, "--retry-failed", script={"log": "log"})
    assert (result.returncode, len(log())) == (0, 4)
    result = ask("caption", "-q", "photos", *args, "--existing", "stale", script={"load": "fault"})
    assert (result.returncode, result.stderr) == (0, b"")


@pytest.fixture(autouse=True)
def processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """What tells the model without loading it."""
    import llavacli_core as core

    class Processor:
        info = INFO

    monkeypatch.setattr(core, "load_processor", lambda *_, **__: Processor, raising=False)


@pytest.mark.parametrize(
    "args", [["-o", "out.jsonl"], ["-o", "out.csv"], ["-o", "photos/metadata.jsonl"], ["--sidecar"]]
)
def test_stale_is_what_was_made_by_something_else(ask: Run, photos: Path, args: list[str]) -> None:
    first = {"log": "log", "pieces": ["one"]}
    ask("caption", "-q", "photos/a2.png", *args, "-p", "Say one.", script=first)
    ask("caption", "-q", "photos/a10.png", *args, "-p", "Say two.", script=first | {"pieces": ["two"]})
    stale = ["caption", "-q", "photos", *args, "--existing", "stale", "-p", "Say two."]
    result = ask(*stale, script=first | {"pieces": ["new"]})
    assert (result.returncode, result.stderr) == (0, b"")
    assert [entry["prompt"] for entry in log()] == ["Say one.", *["Say two."] * 3]
    assert texts(args) == {"a2.png": "new", "a10.png": "two", "sub/c.jpg": "new"}
    assert ask(*stale, script={"load": "fault"}).returncode == 0
    ask("caption", "-q", "photos", *args, "--existing", "overwrite", script=first | {"pieces": ["last"]})
    assert set(texts(args).values()) == {"last"}


def texts(args: list[str]) -> dict[str, str]:
    """What an output holds, by picture; no picture twice."""
    if args == ["--sidecar"]:
        stems = {"a2": "a2.png", "a10": "a10.png", "sub/c": "sub/c.jpg"}
        return {name: Path(f"photos/{stem}.txt").read_text().removesuffix("\n") for stem, name in stems.items()}
    if args[1] == "out.csv":
        with open("out.csv", newline="") as file:
            pairs = [(row["source"], row["text"]) for row in csv.DictReader(file)]
    else:
        pairs = [(row.get("source") or row["file_name"], row["text"]) for row in rows(args[1])]
    assert len(pairs) == len(dict(pairs))
    return {name.removeprefix("photos/"): text for name, text in pairs}


def test_that_the_demo_answers_is_said_once(ask: Run, photos: Path) -> None:
    """`--existing stale` asks what the model is before it is loaded."""
    ask("caption", "-q", "photos/a2.png", "-o", "out.jsonl")
    result = ask("caption", "photos", "-o", "out.jsonl", "--existing", "stale", "-p", "Another.")
    assert result.stderr.count(b"no model chosen") == 1


@pytest.mark.parametrize(
    ("args", "kept"),
    [
        (["-o", "out.jsonl"], "out.jsonl"),
        (["-o", "photos/metadata.jsonl"], "photos/.metadata.jsonl.journal"),
        (["--sidecar"], "photos/a2.txt"),
        (["--sidecar", "--existing", "overwrite"], "photos/sub/c.txt"),
    ],
)
def test_a_new_files_name_is_on_disk_too(
    ask: Run, photos: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], kept: str
) -> None:
    """It is if its folder was synchronised when it was there."""
    folder = os.path.dirname(kept) or "."
    found: set[str] = set()

    def fsync(fd: int) -> None:
        if os.path.samestat(os.fstat(fd), os.stat(folder)):
            found.update(os.listdir(folder))

    monkeypatch.setattr(os, "fsync", fsync)
    assert ask("caption", "-q", "photos", *args).returncode == 0
    assert os.path.basename(kept) in found


def test_rows_that_nobody_replaced_stay(ask: Run, photos: Path) -> None:
    """Captions of several prompts, gone on with by one of them; and a row that someone has put in twice."""
    Path("prompts").write_text("First.\nSecond.\n")
    several = ("caption", "-q", "photos", "-o", "out.jsonl", "--prompt-file", "prompts")
    ask(*several)
    kept = Path("out.jsonl").read_text()
    first = (*several, "--per-image", "first", "--existing")
    assert ask(*first, "stale", script={"load": "fault"}).returncode == 0
    assert Path("out.jsonl").read_text() == kept
    ask(*first, "overwrite", script={"pieces": ["new"]})
    found = [(row["prompt"], row["text"]) for row in rows("out.jsonl")]
    assert sorted(found) == [("First.", "new")] * 3 + [("Second.", CAPTION)] * 3
    Path("out.jsonl").write_text(kept + kept.splitlines(keepends=True)[0])
    assert ask(*several).returncode == 0
    assert len(rows("out.jsonl")) == 7


@pytest.mark.parametrize("args", [["-o", "photos/metadata.jsonl"], ["--sidecar"]])
def test_a_caption_of_unknown_origin_is_never_stale(ask: Run, photos: Path, args: list[str]) -> None:
    """Someone has written, or edited, it by hand."""
    ask("caption", "-q", "photos", *args, "-p", "First.")
    if args == ["--sidecar"]:
        Path("photos/a2.txt").write_text("by hand\n")
    else:
        kept = Path("photos/metadata.jsonl").read_text().splitlines(keepends=True)
        kept[0] = '{"file_name":"a2.png","text":"by hand"}\n'
        Path("photos/metadata.jsonl").write_text("".join(kept))
    ask("caption", "-q", "photos", *args, "-p", "Second.", "--existing", "stale", script={"pieces": ["new"]})
    assert texts(args) == {"a2.png": "by hand", "a10.png": "new", "sub/c.jpg": "new"}


@pytest.mark.parametrize(
    "output", [["-o", "out.jsonl"], ["-o", "out.csv"], ["-o", "photos/metadata.jsonl"], ["--sidecar"]]
)
@pytest.mark.parametrize("how", [["--existing", "overwrite"], ["--existing", "stale", "-p", "Another."]])
def test_a_failure_takes_no_captions_place(ask: Run, photos: Path, output: list[str], how: list[str]) -> None:
    ask("caption", "-q", "photos", *output)
    script = {"pieces": ["new"], "fail": {"a10.png": "input_unreadable"}}
    assert ask("caption", "photos", *output, *how, script=script).returncode == 3
    assert texts(output) == {"a2.png": "new", "a10.png": CAPTION, "sub/c.jpg": "new"}
    assert ask("caption", "photos", *output, script={"load": "fault"}).returncode == 0
    assert ask("caption", "photos", *output, *how, script={"pieces": ["newer"]}).returncode == 0
    assert texts(output)["a10.png"] == "newer"


@pytest.mark.parametrize("output", [["-o", "out.jsonl"], ["-o", "photos/metadata.jsonl"], ["--sidecar"]])
def test_records_on_stdout_beside_what_is_kept_tell_of_every_picture(ask: Run, photos: Path, output: list[str]) -> None:
    """What is there is not captioned again to be shown."""
    fails = {"fail": {"a10.png": "input_unreadable"}}
    run = ("caption", "photos", "--json", *output)
    assert statuses(ask(*run, script=fails).stdout) == {"a2.png": "ok", "a10.png": "error", "c.jpg": "ok"}
    Path("photos/new.png").write_bytes(picture("a.png"))
    again = ask(*run, script={})
    expected = {"a2.png": "skipped", "a10.png": "error", "c.jpg": "skipped", "new.png": "ok"}
    assert (again.returncode, statuses(again.stdout)) == (3, expected)
    records = [json.loads(line) for line in again.stdout.splitlines()]
    assert all(list(record) == list(records[-1]) for record in records)
    assert ask("caption", "photos", *output, script={"load": "fault"}).stdout == b""


def statuses(stdout: bytes) -> dict[str, str]:
    records = map(json.loads, stdout.splitlines())
    return {os.path.basename(record["source"]): record["status"] for record in records}


def test_keys_of_the_users_own_stay_in_records(ask: Run, photos: Path) -> None:
    ask("caption", "-q", "photos", "--tokens", "-o", "out.jsonl")
    file = Path("out.jsonl")
    file.write_text(file.read_text().replace("}\n", ',"label":"é","box":[1,2.5]}\n', 1))
    ask("caption", "-q", "photos", "-o", "out.jsonl", "--existing", "overwrite", script={"pieces": ["new"]})
    (labelled,) = (row for row in rows("out.jsonl") if "label" in row)
    assert (labelled["text"], labelled["label"], labelled["box"]) == ("new", "é", [1, 2.5])
    assert "token_ids" not in labelled


def test_columns_of_the_users_own_stay_beside_new_captions(ask: Run, photos: Path) -> None:
    ask("caption", "-q", "photos", "-o", "photos/metadata.jsonl")
    file = Path("photos/metadata.jsonl")
    file.write_text(file.read_text().replace('"}\n', '","label":"é","box":[1,2.5],"score":NaN}\n', 1))
    how = ("-o", "photos/metadata.jsonl", "--existing", "overwrite")
    ask("caption", "-q", "photos", *how, script={"pieces": ["new"]})
    kept = rows("photos/metadata.jsonl")
    assert math.isnan(kept[0].pop("score"))  # as pandas writes it
    assert kept == [
        {"file_name": "a2.png", "text": "new", "label": "é", "box": [1, 2.5]},
        {"file_name": "a10.png", "text": "new"},
        {"file_name": "sub/c.jpg", "text": "new"},
    ]


def test_columns_of_a_csv_file_in_any_order(ask: Run, photos: Path) -> None:
    """As a spreadsheet may leave them: moved, with one more, with its own quotes and ends of lines."""
    run = ("caption", "-q", "photos", "-o", "out.csv")
    ask(*run, "--limit", "2", script={"pieces": ["old"]})
    with open("out.csv", newline="") as file:
        header, *found = csv.reader(file)
    order = [1, 0, *range(2, len(header))]
    moved = [[row[place] for place in order] for row in (header, *found)]
    with open("out.csv", "w", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(
            [["mine", *moved[0]], ["1", *moved[1]], ["2, and more", *moved[2]]]
        )
    assert ask(*run, script={"pieces": ["new"]}).returncode == 0
    with open("out.csv", newline="") as file:
        data = file.read()
        found = [(row["mine"], row["source"], row["text"]) for row in csv.DictReader(data.splitlines())]
    names = [f"photos/{name}" for name in ("a2.png", "a10.png", "sub/c.jpg")]
    assert found == [("1", names[0], "old"), ("2, and more", names[1], "old"), ("", names[2], "new")]
    assert data.count("\r\n") == data.count("\n") == 4
    ask(*run, "--existing", "overwrite", script={"pieces": ["new"]})
    with open("out.csv", newline="") as file:
        assert [(row["mine"], row["text"]) for row in csv.DictReader(file)] == [
            ("1", "new"),
            ("2, and more", "new"),
            ("", "new"),
        ]


@pytest.mark.parametrize("fault", ["quote", "end", "twice"])
def test_a_csv_file_with_a_column_more_that_is_damaged(ask: Run, photos: Path, fault: str) -> None:
    """Nothing is cut off."""
    run = ("caption", "-q", "photos", "-o", "out.csv")
    ask(*run)
    header, *found = Path("out.csv").read_text().splitlines()
    twice = ",note,note" if fault == "twice" else ",note"
    lines = [header + twice, *(f"{row},mine" + ",too" * (fault == "twice") for row in found)]
    if fault == "quote":
        lines[1] = lines[1].replace(CAPTION, '12" of it')
    data = "\n".join(lines) + ("" if fault == "end" else "\n")
    Path("out.csv").write_text(data)
    result = ask(*run)
    if fault == "end":
        assert (result.returncode, Path("out.csv").read_text()) == (0, data + "\n")
    else:
        assert (result.returncode, Path("out.csv").read_text()) == (2, data)


def test_a_csv_file_in_another_encoding(ask: Run, photos: Path) -> None:
    run = ("caption", "-q", "photos", "-o", "out.csv")
    ask(*run)
    Path("out.csv").write_bytes(Path("out.csv").read_text().encode("utf-16"))
    result = ask(*run)
    assert (result.returncode, b"save it as UTF-8" in result.stderr) == (2, True)


def test_rows_of_the_hubs_metadata_that_lack_a_caption_get_one(ask: Run, photos: Path) -> None:
    file = Path("photos/metadata.jsonl")
    file.write_text('{"file_name":"./a2.png","label":4}\n{"file_name":"a10.png","text":null,"label":5}\n')
    assert ask("caption", "-q", "photos", "-o", "photos/metadata.jsonl").returncode == 0
    assert rows("photos/metadata.jsonl") == [
        {"file_name": "a2.png", "text": CAPTION, "label": 4},
        {"file_name": "a10.png", "text": CAPTION, "label": 5},
        {"file_name": "sub/c.jpg", "text": CAPTION},
    ]
    kept = '{"file_name":"a2.png","text":"a","label":3}\n{"file_name":"a2.png","text":"dup","more":1}\n'
    file.write_text(kept)
    ask("caption", "-q", "photos", "-o", "photos/metadata.jsonl")
    assert file.read_text().startswith(kept)


def test_two_pictures_with_one_sidecar_are_refused(ask: Run, photos: Path) -> None:
    Path("photos/a2.jpg").write_bytes(picture("a.png"))
    before = sorted(os.listdir("photos"))
    result = ask("caption", "photos", "--sidecar", script={"load": "fault"})
    assert result.returncode == 2
    assert b"photos/a2.jpg and photos/a2.png would share photos/a2.txt (hint: --sidecar-name {name}" in result.stderr
    assert sorted(os.listdir("photos")) == before
    assert ask("caption", "-q", "photos", "--sidecar", ".caption", "--sidecar-name", "{name}").returncode == 0
    assert Path("photos/a2.jpg.caption").read_text() == f"{CAPTION}\n"


def test_a_sidecar_of_another_picture_is_refused_in_a_later_run_too(ask: Run, photos: Path) -> None:
    assert ask("caption", "-q", "photos/a2.png", "--sidecar").returncode == 0
    Path("photos/a2.jpg").write_bytes(picture("a.png"))
    result = ask("caption", "photos/a2.jpg", "--sidecar", script={"load": "fault"})
    assert (result.returncode, b"would share photos/a2.txt" in result.stderr) == (2, True)
    Path("photos/a2.png").unlink()  # it was renamed, then
    assert ask("caption", "-q", "photos/a2.jpg", "--sidecar", script={"load": "fault"}).returncode == 0


@pytest.mark.parametrize("output", ["out.jsonl", "out.csv", "photos/metadata.jsonl"])
def test_torn_anywhere_it_is_mended(ask: Run, photos: Path, output: str) -> None:
    """Whatever byte a file ends at, the next run makes it whole: nothing is lost, nothing is there twice."""
    run = ["caption", "-q", "photos", "-o", output]
    script = {"pieces": ['A "red",\n', "\n\r\ncircle\u2028 "]}
    assert ask(*run, script=script).returncode == 0
    whole = Path(output).read_bytes()
    for length in sorted({*range(0, len(whole), len(whole) // 25), len(whole) - 1, len(whole)}):
        Path(output).write_bytes(whole[:length])
        assert ask(*run, script=script).returncode == 0
        mended = Path(output).read_bytes()
        assert untimed(mended) == untimed(whole)


def untimed(data: bytes) -> list[bytes]:
    """The lines but for times, which differ: only the first answer counts the loading."""
    return sorted(re.sub(rb'"timing_ms":{[^}]*}', b"", line) for line in data.splitlines())


@pytest.mark.parametrize(
    "text",
    ["one\rtwo", "a\x00b", "\r", '"', "x" * 200_000],
    ids=["a return", "a null", "only a return", "a quote", "long"],  # pytest puts them into the environment
)
def test_whatever_is_said_csv_holds_it(ask: Run, photos: Path, text: str) -> None:
    run = ["caption", "-q", "photos", "-o", "out.csv"]
    assert ask(*run, script={"pieces": [text]}).returncode == 0
    csv.field_size_limit(2**31 - 1)
    assert set(texts(["-o", "out.csv"]).values()) == {text}
    result = ask(*run, script={"load": "fault"})
    assert (result.returncode, result.stderr) == (0, b"")


def test_a_csv_that_a_spreadsheet_has_saved_goes_on(ask: Run, photos: Path) -> None:
    """With a mark at its beginning, every value in quotes, and the ends of lines that Windows has."""
    run = ["caption", "-q", "photos", "-o", "out.csv"]
    ask(*run, "--limit", "1")
    with open("out.csv", newline="") as file:
        kept = list(csv.reader(file))
    with open("out.csv", "w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([*kept, []])
    assert ask(*run, script={"log": "log"}).returncode == 0
    assert len(log()) == 2
    with open("out.csv", encoding="utf-8-sig", newline="") as file:
        assert [row["source"] for row in csv.DictReader(file)] == [
            "photos/a2.png",
            "photos/a10.png",
            "photos/sub/c.jpg",
        ]


@pytest.mark.parametrize(
    ("separator", "said"), [(";", b"commas between values, not with semicolons"), ("\t", b"not with tabs")]
)
def test_a_csv_without_commas_is_told_of(ask: Run, photos: Path, separator: str, said: bytes) -> None:
    """As Excel saves it where the comma is in numbers."""
    ask("caption", "-q", "photos", "-o", "out.csv")
    with open("out.csv", newline="") as file:
        kept = list(csv.reader(file))
    with open("out.csv", "w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=separator).writerows(kept)
    before = Path("out.csv").read_bytes()
    result = ask("caption", "-q", "photos", "-o", "out.csv", script={"load": "fault"})
    assert result.returncode == 2
    assert said in result.stderr
    assert Path("out.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("output", "end"),
    [
        ("out.jsonl", b'"}'),
        ("out.csv", b",more"),
        ("out.csv", b',"'),
        ("out.csv", b'"'),
        ("photos/metadata.jsonl", b","),
    ],
)
def test_without_a_broken_line_the_rest_of_a_file_goes_on(ask: Run, photos: Path, output: str, end: bytes) -> None:
    """Nothing is cut off, what the hint says is where the line is, and it is enough."""
    run = ["caption", "-q", "photos", "-o", output]
    ask(*run, script={"pieces": ["A red circle."]})
    lines = Path(output).read_bytes().splitlines()
    broken = len(lines) - 2  # of three captions the second
    Path(output).write_bytes(b"\n".join([*lines[:broken], lines[broken] + end, *lines[broken + 1 :], b""]))
    before = Path(output).read_bytes()
    result = ask(*run, script={"load": "fault"})
    assert result.returncode == 2
    assert b"mend or remove line %d, and the run goes on" % (broken + 1) in result.stderr
    assert Path(output).read_bytes() == before
    Path(output).write_bytes(b"\n".join([*lines[:broken], *lines[broken + 1 :], b""]))
    assert ask(*run, script={"log": "log"}).returncode == 0
    assert len(log()) == 1
    assert len(Path(output).read_bytes().splitlines()) == len(lines)


def test_broken_lines_are_counted_as_an_editor_does(ask: Run, photos: Path) -> None:
    """The caption before has a line break in it."""
    ask("caption", "-q", "photos", "-o", "out.csv", "--limit", "1", script={"pieces": ["one\ntwo"]})
    with open("out.csv", "a") as file:
        file.write("mine\n" * 7)
    result = ask("caption", "-q", "photos", "-o", "out.csv")
    assert b"and lines 4, 5, 6, 7, 8 and 2 more are no captions of ours (hint: mend or remove lines 4" in result.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (b"caf\xe9.png", b"that is no UTF-8"),
        (b"back\\slash.png", b"with a backslash"),
        (b"a::b.png", b"with :: in it"),
        (b"$HOME.png", b"that holds a variable"),
        (b"x ${HOME}.png", b"that holds a variable"),
    ],
)
def test_metadata_names_nothing_that_would_keep_datasets_from_reading_the_rest(
    ask: Run, photos: Path, name: bytes, said: bytes
) -> None:
    """What each does to that library is told in captioning/imagefolder.py."""
    os.rename(photos / "a2.png", os.fsencode(photos) + b"/" + name)
    result = ask("caption", "-q", "photos", "-o", "photos/metadata.jsonl")
    assert (result.returncode, result.stderr.count(b"the datasets library takes no name " + said)) == (3, 1)
    assert [row["file_name"] for row in rows("photos/metadata.jsonl")] == ["a10.png", "sub/c.jpg"]


@pytest.mark.parametrize(
    "name", ["$unset.png", "~a.png", "::b.png", "a:b.png", "100%.png", "a$.png", "$1.png", "é.png"]
)
def test_metadata_names_what_datasets_can_read(ask: Run, photos: Path, name: str) -> None:
    os.rename(photos / "a2.png", photos / name)
    assert ask("caption", "-q", "photos", "-o", "photos/metadata.jsonl").returncode == 0
    assert name in [row["file_name"] for row in rows("photos/metadata.jsonl")]


def test_a_sidecar_that_is_there_stays(ask: Run, photos: Path) -> None:
    Path("photos/a2.txt").write_text("mine")
    assert ask("caption", "-q", "photos", "--sidecar").returncode == 0
    assert Path("photos/a2.txt").read_text() == "mine"
    assert sorted(path.name for path in photos.iterdir() if path.suffix == ".part") == []


def test_a_name_with_no_room_for_an_ending_is_one_error(ask: Run, home: Path) -> None:
    name = "x" * 251 + ".png"
    Path(name).write_bytes(picture("a.png"))
    result = ask("caption", name, "a.png", "--sidecar", ".caption")
    assert result.returncode == 3
    assert b"its sidecar's name would be too long" in result.stderr
    assert Path("a.caption").exists()
    assert ask("caption", "-q", name, "--sidecar").returncode == 0


def test_prompts_from_a_file(ask: Run, photos: Path) -> None:
    Path("prompts").write_text("What is {name} in {dir}?\n\nA {stem}? {else}\n")
    args = ["caption", "-q", "photos/sub/c.jpg", "photos/a2.png", "--prompt-file", "prompts"]
    ask(*args, "-o", "out.jsonl", script={"log": "log"})
    prompts = [entry["prompt"] for entry in log()]
    assert prompts == ["What is c.jpg in sub?", "A c? {else}", "What is a2.png in photos?", "A a2? {else}"]
    assert ask(*args, "-o", "out.jsonl", script={"load": "fault"}).returncode == 0
    Path("prompts").write_text(Path("prompts").read_text() + "And this?\n")
    ask(*args, "-o", "out.jsonl", script={"log": "log"})
    assert [entry["prompt"] for entry in log()][4:] == ["And this?"] * 2
    assert ask(*args, "--sidecar").returncode == 2
    assert ask(*args, "--per-image", "first", "--sidecar").returncode == 0


def test_a_random_prompt_depends_on_the_picture_alone(ask: Run, photos: Path) -> None:
    Path("prompts").write_text("".join(f"Prompt {number}\n" for number in range(50)))

    def prompts(*args: str) -> dict[str, str]:
        chosen = ask("caption", "-q", "--json", "--prompt-file", "prompts", "--per-image", "random", *args)
        return {record["source"]: record["prompt"] for record in map(json.loads, chosen.stdout.splitlines())}

    all_of_them = prompts("photos")
    assert prompts("photos", "-b", "1") == all_of_them
    assert prompts("photos", "--include", "a10*") == {"photos/a10.png": all_of_them["photos/a10.png"]}
    assert prompts("photos", "--seed", "7") != all_of_them


def test_words_around_and_whole_sentences(ask: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    import llavacli_core as core

    whole = core.Done.__init__

    def cut(self: core.Done, **fields: Any) -> None:
        whole(self, **fields | {"finish_reason": "length"})

    monkeypatch.setattr(core.Done, "__init__", cut)
    assert dataclasses.is_dataclass(core.Done)
    args = ["--prepend", "photo: ", "--append", ", 4k", "--trim-sentence"]
    result = ask("caption", "--json", "a.png", *args, script={"pieces": ["It is 3.5 m. ", "It has"]})
    record = json.loads(result.stdout)
    assert record["text"] == "photo: It is 3.5 m., 4k"
    assert [record["params"][name] for name in ("prepend", "append", "trim_sentence")] == ["photo: ", ", 4k", True]
    assert "1 captioned (1 cut by --max-tokens)" in result.stderr.decode()


def test_a_captioner_is_asked_nothing(ask: Run, photos: Path) -> None:
    script = {"captioner": True, "log": "log"}
    assert ask("caption", "-q", "photos", script=script).returncode == 0
    assert {entry["prompt"] for entry in log()} == {""}
    Path("prompts").write_text("one\ntwo\n")
    result = ask("caption", "photos", "-o", "out.jsonl", "--prompt-file", "prompts", script=script)
    assert result.returncode == 2
    assert b"captions without a prompt (hint: leave out --prompt-file)" in result.stderr
    assert not Path("out.jsonl").exists()


def test_enough_failures_end_the_run(ask: Run, photos: Path) -> None:
    script = {"fail": {"a2.png": "input_unreadable", "a10.png": "too_long"}}
    result = ask("caption", "photos", "--max-failures", "1", "-o", "out.jsonl", script=script)
    assert result.returncode == 3
    assert "1 failed (1 input_unreadable), 2 not done" in result.stderr.decode()
    assert len(rows("out.jsonl")) == 1


def test_what_every_picture_would_meet_ends_it_and_is_not_kept(ask: Run, photos: Path) -> None:
    result = ask("caption", "-q", "photos", "-o", "out.jsonl", script={"fail": {"a2.png": "model_broken"}})
    assert result.returncode == 5
    assert not Path("out.jsonl").exists()


def test_shards_are_the_whole(ask: Run, photos: Path) -> None:
    for number in range(30):
        Path(f"photos/{number}.png").write_bytes(picture("a.png"))
    for index in (1, 2, 3):
        assert ask("caption", "-q", "photos", "--shard", f"{index}/3", "-o", f"{index}.csv").returncode == 0
    ask("caption", "-q", "photos", "-o", "whole.csv")
    parts = [Path(f"{index}.csv").read_text().splitlines() for index in (1, 2, 3)]
    assert all(len(part) > 3 for part in parts)
    together = [line for part in parts for line in part]
    assert sorted(together) == sorted(Path("whole.csv").read_text().splitlines())
    Path("all.csv").write_text("\n".join(together) + "\n")
    assert ask("caption", "-q", "photos", "-o", "all.csv", script={"load": "fault"}).returncode == 0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["photos", "-o", "out.txt"], "its ending names no known kind"),
        (["photos", "--sidecar", ".png"], "would make pictures of captions"),
        (["photos", "--shard", "3/2"], "--shard 3/2 is no part of a whole"),
        (["photos", "-b", "0"], "--batch 0 is neither auto nor a number"),
        (["photos", "--videos", "-o", "photos/metadata.jsonl"], "VideoFolder clips alone, and here are both"),
        (["photos", "--retry-failed"], "--retry-failed is about captions that are kept"),
        (["photos", "--existing", "stale"], "--existing stale is about captions that are kept"),
        (["a.png", "-o", "photos/metadata.jsonl"], "a.png: is not in the folder of photos/metadata.jsonl"),
        (["https://example.org/a.png", "--sidecar"], "has no place for a sidecar"),
        (["photos", "-0"], "--null is about the paths of --files-from"),
        (["photos", "--per-image", "random"], "--per-image random is about a file's prompts"),
        (["photos", "-o", "out.jsonl", "--sidecar-name", "{name}"], "--sidecar-name {name} is about sidecars"),
        (["photos", "--sidecar-name", "{name}"], "--sidecar-name {name} is about sidecars"),
        (["photos", "--tokens"], "--tokens adds to records"),
        (["photos", "--tokens", "-o", "photos/metadata.jsonl"], "--tokens adds to records"),
        (["photos", "-o", "-"], "--output is for files alone"),
        (["photos", "-o", "other.jsonl"], "other.jsonl: exists, and line 1 is no caption of ours"),
        (["photos", "-o", "torn.jsonl"], "torn.jsonl: exists, and it holds something else"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_done(ask: Run, photos: Path, args: list[str], said: str) -> None:
    Path("other.jsonl").write_text('{"precious": 1}\n{"half')
    Path("torn.jsonl").write_text('{"precious": 1')
    result = ask("caption", *args, script={"load": "fault"})
    assert result.returncode == 2
    assert said in result.stderr.decode()
    assert Path("other.jsonl").read_text() == '{"precious": 1}\n{"half'
    assert Path("torn.jsonl").read_text() == '{"precious": 1'


@pytest.mark.parametrize(
    ("output", "hint"),
    [
        ("none/out.jsonl", "make its folder first"),
        ("a.png/out.csv", "make its folder first"),
        (f"{'x' * 300}.jsonl", "shorten its name"),
    ],
)
def test_a_file_that_cannot_be_made_is_74_with_what_to_do(ask: Run, photos: Path, output: str, hint: str) -> None:
    result = ask("caption", "-q", "photos", "-o", output, script={"load": "fault"})
    assert result.returncode == 74
    assert result.stderr.decode().endswith(f"(hint: {hint})\n")


def test_a_sidecars_ending_without_its_dot(ask: Run, photos: Path) -> None:
    result = ask("caption", "photos", "--sidecar", "txt", script={"load": "fault"})
    assert result.returncode == 2
    assert result.stderr.endswith(b"--sidecar txt: an ending begins with a dot (hint: --sidecar .txt)\n")
    Path("txt").write_bytes(picture("a.png"))
    assert ask("caption", "-q", "photos", "--sidecar", "txt").returncode == 0


def test_what_only_draws_heed_makes_no_greedy_caption_stale(ask: Run, photos: Path) -> None:
    run = ("caption", "-q", "photos", "-o", "out.jsonl")
    ask(*run)
    assert ask(*run, "--existing", "stale", "--seed", "3", script={"load": "fault"}).returncode == 0
    ask(*run, "--existing", "stale", "--seed", "3", "--temperature", "1", script={"pieces": ["new"]})
    assert texts(["-o", "out.jsonl"]) == dict.fromkeys(texts(["-o", "out.jsonl"]), "new")


def test_the_sidecars_ending_may_be_left_out(ask: Run, photos: Path) -> None:
    assert ask("caption", "-q", "--sidecar", "photos").returncode == 0
    assert ask("caption", "-q", "--sidecar", ".cap", "photos").returncode == 0
    assert ask("caption", "-q", "photos", "--sidecar=.note").returncode == 0
    names = set(os.listdir("photos"))
    assert {"a2.txt", "a2.cap", "a2.note"} <= names


@pytest.mark.parametrize(
    "output", [["-o", "out.jsonl"], ["-o", "out.csv"], ["-o", "photos/metadata.jsonl"], ["--sidecar"]]
)
def test_a_run_that_is_repeated_ends_as_it_did(ask: Run, photos: Path, output: list[str]) -> None:
    unread = {"fail": dict.fromkeys(("a2.png", "a10.png", "c.jpg"), "input_unreadable")}
    for script in (unread, {}):
        assert ask("caption", "photos", *output, script=script).returncode == 4
    assert ask("caption", "photos", *output, "--retry-failed", script={}).returncode == 0
    assert ask("caption", "photos", *output, script={}).returncode == 0
    mixed = {"fail": {"a2.png": "input_unreadable", "a10.png": "too_long"}}
    again = [*output, "--existing", "overwrite"]
    assert ask("caption", "photos/a2.png", "photos/a10.png", *again, script=mixed).returncode == 3


def test_endings_in_capitals(ask: Run, photos: Path) -> None:
    for output in ("OUT.JSONL", "OUT.CSV"):
        assert ask("caption", "-q", "photos", "-o", output).returncode == 0
    assert rows("OUT.JSONL")[0]["status"] == "ok"
    assert Path("OUT.CSV").read_text().startswith("source,text,")


@pytest.mark.parametrize("output", ["out.jsonl", "out.csv"])
def test_a_picture_is_the_same_however_its_path_is_spelt(ask: Run, photos: Path, output: str) -> None:
    for spelling in ("photos", "./photos/", str(photos.absolute()), "photos//sub/.."):
        result = ask("caption", "-q", spelling, "-o", output)
        assert result.returncode == 0
    assert len(Path(output).read_text().splitlines()) == 3 + output.endswith(".csv")
    assert [Places("").of(source) for source in ("https://example.org/./a.png", "-")] == [
        "https://example.org/./a.png",
        "-",
    ]


@pytest.mark.parametrize("output", ["out.jsonl", "out.csv"])
def test_a_picture_is_itself_from_whatever_folder(
    ask: Run, photos: Path, output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of one name in two folders are two, and one is one by the names it has from each."""
    home = Path.cwd()
    (home / "photos" / "a2").mkdir()
    for folder in ("sub", "a2"):
        (home / "photos" / folder / "same.png").write_bytes(picture("a.png"))
    counts = []
    for folder in ("photos/sub", "photos/a2", "photos", "."):
        monkeypatch.chdir(home / folder)
        assert ask("caption", "-q", ".", "-o", home / output, "--exclude", "*.jpg", script={}).returncode == 0
        counts.append(len((home / output).read_text().splitlines()) - output.endswith(".csv"))
    assert counts[:3] == [1, 2, 4]
    assert len(set((home / output).read_text().splitlines())) == counts[3] + output.endswith(".csv")


def test_a_file_that_was_moved_alone_knows_its_pictures(ask: Run, photos: Path) -> None:
    Path("kept").mkdir()
    ask("caption", "-q", "photos", "-o", "kept/out.jsonl", script={})
    Path("kept/out.jsonl").rename("out.jsonl")
    result = ask("caption", "photos", "-o", "out.jsonl", script={"load": "fault"})
    assert (result.returncode, b"3 skipped" in result.stderr) == (0, True)


def test_a_current_folder_that_is_gone(ask: Run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos / "sub")
    shutil.rmtree(Path.cwd())
    result = ask("caption", "/nope.png", "-o", "out.jsonl", script={})
    assert (result.returncode, b"the current folder is gone" in result.stderr) == (2, True)


def test_a_sidecar_is_never_a_picture(ask: Run, photos: Path) -> None:
    Path("photos/a2.txt").write_bytes(picture("a.png"))
    for named in (["photos/a2.txt"], ["photos/a2.txt", "photos/a2.png"]):
        result = ask("caption", *named, "--sidecar", "--existing", "overwrite", script={"load": "fault"})
        assert result.returncode == 2
        assert b"the sidecar of photos/a2." in result.stderr
    assert Path("photos/a2.txt").read_bytes() == picture("a.png")


@pytest.mark.parametrize("batch", ["1", "3"])
def test_no_more_failures_are_kept_than_are_allowed(ask: Run, photos: Path, batch: str) -> None:
    script = {"fail": dict.fromkeys(("a2.png", "a10.png", "c.jpg"), "input_unreadable")}
    result = ask("caption", "photos", "-b", batch, "--max-failures", "2", "-o", "out.jsonl", script=script)
    assert result.returncode == 3
    assert "2 failed (2 input_unreadable), 1 not done" in result.stderr.decode()
    assert len(rows("out.jsonl")) == 2


def test_what_made_a_caption_does_not_depend_on_the_folder_one_is_in(home: Path) -> None:
    """A folder that has the demo's name is none of its files; a checkpoint's is the same by any path."""

    def identity(model: str) -> Any:
        return _identity(SimpleNamespace(**vars(INFO) | {"id": model, "revision": None}))  # type: ignore[arg-type]

    built_in = identity("demo")
    (home / "demo").mkdir()
    (home / "demo" / "README.md").write_text("ours")
    assert identity("demo") == built_in
    (home / "model").mkdir()
    (home / "model" / "config.json").write_text("{}")
    near, far = map(identity, ("model", f"{home}/photos/../model"))
    assert near == far != built_in
    (home / "model" / "config.json").write_text("{ }")
    assert identity("model") != near
