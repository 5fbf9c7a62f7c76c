"""`llavacli sessions`, and what others see of it: streams, exit codes, terminals, pipes."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.cells import cell_len

from llavacli.sessions.database import default_path
from llavacli.sessions.document import conversation_in
from llavacli.sessions.records import Attachment, Header
from llavacli.sessions.store import Store
from tests.llavacli.kept import answer
from tests.llavacli.running import Run, process, shell
from tests.llavacli.test_terminal import Terminal, terminal

__all__ = ["terminal"]  # the fixture


@pytest.fixture
def store(home: Path) -> Store:
    return Store.open()


def begin(store: Store, question: str = "What is this?", text: str = "A red circle.") -> str:
    """A conversation of one question; its id."""
    saved = store.begin(Header(model="org/name"))
    saved.add_user([Attachment(kind="image", name="a.png", path="/p/a.png", width=4, height=3, tokens=5), question])
    saved.add_assistant(answer(text))
    return saved.id or ""


def age(store: Store, id_: str, moment: datetime) -> None:
    """Make a conversation old."""
    with store._database.writing() as connection:
        connection.execute("UPDATE sessions SET updated = ? WHERE id = ?", (moment.isoformat(), id_))


def test_the_store_is_in_the_users_data_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_path() == f"{home}/home/.local/share/llavacli/sessions.db"
    monkeypatch.setenv("XDG_DATA_HOME", "/elsewhere")
    assert default_path() == "/elsewhere/llavacli/sessions.db"


def test_an_empty_store_says_so(here: Run, home: Path) -> None:
    result = here("sessions", "ls")
    assert (result.returncode, result.stdout) == (0, b"")
    assert result.stderr == b"llavacli: no conversations are kept yet\n"
    assert here("sessions", "ls", "-q").stderr == b""
    for command in ("show", "export"):
        assert here("sessions", command).returncode == 2
    assert here("sessions", "search", "x").returncode == 0
    empty = here("sessions", "search", " ")
    assert (empty.returncode, empty.stdout) == (2, b"")
    assert b"there is nothing to search for" in empty.stderr
    assert here("sessions", "rm", "--all", "--yes").returncode == 0
    assert not (home / "home").exists()


def test_ls_in_a_pipe(here: Run, store: Store) -> None:
    first, second = begin(store), begin(store, "tab\there\n\x1b[2J")
    result = here("sessions", "ls")
    rows = [line.split("\t") for line in result.stdout.decode().splitlines()]
    assert [(row[0], row[2], row[3], row[4]) for row in rows] == [
        (second, "1", "org/name", "tab here \x1b[2J"),
        (first, "1", "org/name", "What is this?"),
    ]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", rows[0][1])
    assert here("sessions", "ls", "--limit", "1").stdout.count(b"\n") == 1


def test_records(here: Run, store: Store) -> None:
    id_ = begin(store, "\x1b[2J caf\udce9 \u202e")
    (listed,) = map(json.loads, here("sessions", "ls", "--json").stdout.splitlines())
    assert list(listed) == ["schema", "id", "title", "created", "updated", "model", "turns", "attachments"]
    assert (listed["schema"], listed["id"], listed["turns"]) == ("llavacli.sessions/1", id_, 1)
    assert listed["title"] == "\x1b[2J caf\udce9 \u202e"
    (found,) = map(json.loads, here("sessions", "search", "RED", "--json").stdout.splitlines())
    assert list(found) == ["schema", "id", "title", "position", "role", "created", "excerpt"]
    assert (found["id"], found["position"], found["excerpt"]) == (id_, 1, "A red circle.")
    (whole,) = here("sessions", "show", "--json").stdout.splitlines()
    assert conversation_in(whole) == store.load(id_)


def test_show(here: Run, store: Store) -> None:
    saved = store.begin(Header(model="org/name", system="Be brief.\nAlways."))
    picture = Attachment(kind="image", name="a.png", width=4, height=3, tokens=5, marks=("box:1,2,3,4:red",))
    saved.add_user([picture, Attachment(kind="video", name="c.mp4", frames=(0, 5), tokens=9), "What?\nWhere?"])
    saved.add_assistant(answer("# A **cat**\n", finish_reason="length"))
    saved.add_user([Attachment(kind="image", name="-", label=4)])
    saved.add_assistant(answer("\x1b[2Jhalf", finish_reason="interrupted"))
    saved.add_user(["no answer yet"])
    shown = here("sessions", "show", (saved.id or "")[:-1]).stdout.decode()
    heading, _, rest = shown.partition("\n")
    assert re.fullmatch(rf"{saved.id}  \d{{4}}-\d\d-\d\d \d\d:\d\d  org/name", heading)
    assert rest == (
        "\n> [system] Be brief.\n> Always.\n\n"
        "> [Image #1] a.png (4x3, 5 tokens, marked box:1,2,3,4:red)\n> [Video #2] c.mp4 (2 frames, 9 tokens)\n"
        "> What?\n> Where?\n\n"
        "# A **cat**\n[cut at the longest length]\n\n> [Image #4] -\n\n\x1b[2Jhalf\n[interrupted]\n\n> no answer yet\n"
    )


def test_an_unknown_id_is_answered_with_the_nearest(here: Run, store: Store) -> None:
    id_ = begin(store)
    wrong = id_[:-1] + ("0" if id_[-1] != "0" else "1")
    for command in ("show", "export", "rm"):
        result = here("sessions", command, wrong)
        assert result.returncode == 2
        assert result.stderr.decode() == f"llavacli: error: no conversation '{wrong}' (hint: did you mean {id_}?)\n"
    assert here("sessions", "rm", id_, "zebra").returncode == 2
    assert store.list()  # all ids are looked up before anything is removed


def test_export(here: Run, store: Store) -> None:
    id_ = begin(store)
    assert b"\n![a.png](<file:///p/a.png>)\n" in here("sessions", "export").stdout
    assert here("sessions", "export", id_, "-o", "x.json").returncode == 0
    assert conversation_in(Path("x.json").read_bytes()) == store.load(id_)
    refused = here("sessions", "export", "-o", "x.json")
    assert refused.returncode == 2
    assert b"exists already" in refused.stderr
    assert here("sessions", "export", "-o", "x.json", "--force", "--format", "md").returncode == 0
    assert Path("x.json").read_text().startswith("# What is this?\n")
    assert conversation_in(here("sessions", "export", "-f", "json").stdout) == store.load(id_)
    assert here("sessions", "export", "-o", ".").returncode == 2
    assert here("sessions", "export", "-o", "absent/x.md").returncode == 74


def test_rm_by_id_and_by_age(here: Run, store: Store) -> None:
    old, new, named = begin(store), begin(store), begin(store)
    age(store, old, datetime(2020, 1, 1, tzinfo=UTC))
    result = here("sessions", "rm", named)  # there is no terminal to ask on, and it was named
    assert (result.returncode, result.stdout) == (0, b"")
    assert result.stderr.decode() == f"llavacli: removed conversation {named} (What is this?)\n"
    assert here("sessions", "rm", "--older-than", "30d").returncode == 2
    assert len(store.list()) == 2
    assert here("sessions", "rm", "--older-than", "30d", "--yes").returncode == 0
    assert [each.id for each in store.list()] == [new]
    assert here("sessions", "rm", "--older-than", "1h", "-y").stderr == b"llavacli: nothing to remove\n"
    assert here("sessions", "rm", "--all", "--yes").returncode == 0
    assert not store.list()


@pytest.mark.parametrize(
    "args",
    [
        "",
        "--all x",
        "--all --older-than 1d",
        *(f"--older-than {age}" for age in ("soon", "-1d", "9999y", "9" * 99 + "d")),
    ],
)
def test_rm_that_says_too_little_or_too_much(here: Run, store: Store, args: str) -> None:
    begin(store)
    result = here("sessions", "rm", "--yes", *args.split())
    assert result.returncode == 2
    assert result.stderr.count(b"\n") == 1
    assert store.list()


def test_nothing_but_the_command_line_says_what_to_remove(
    here: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(store)
    monkeypatch.setenv("LLAVACLI_ALL", "1")
    monkeypatch.setenv("LLAVACLI_YES", "1")
    assert here("sessions", "rm").returncode == 2
    Path("llavacli.toml").write_text("[sessions.rm]\nall = true\n")
    result = here("sessions", "rm")
    assert result.returncode == 2
    assert b"unknown option 'all'" in result.stderr
    assert store.list()


def test_a_config_file_has_a_table_for_each_command_of_the_group(here: Run, store: Store) -> None:
    begin(store)
    begin(store)
    Path("llavacli.toml").write_text("max-tokens = 5\n[describe]\ntogether = true\n[sessions.ls]\nlimit = 1\n")
    assert here("sessions", "ls").stdout.count(b"\n") == 1
    assert here("sessions", "show").returncode == 0
    for text, message in (
        ("[sessions]\nlimit = 1", b"[sessions] holds limit (hint: options go into a command's table: [sessions.ls])"),
        ("sessions = 3", b"sessions must be a table"),
        ("[sessions.ls]\nlimt = 1", b"did you mean 'limit'?"),
    ):
        Path("llavacli.toml").write_text(text)
        result = here("sessions", "ls")
        assert result.returncode == 2
        assert message in result.stderr


def test_a_broken_database_is_one_line(here: Run, store: Store) -> None:
    begin(store)
    store.close()
    Path(store.path).write_bytes(b"no database" * 1000)
    for args in (["ls"], ["show"], ["search", "x"], ["rm", "--all", "--yes"]):
        result = here("sessions", *args)
        assert result.returncode == 4
        assert result.stderr.decode() == (
            f"llavacli: error: {store.path}: conversations cannot be kept there: file is not a database"
            " (hint: move the file away to begin anew)\n"
        )


def test_mistyped_and_bare(here: Run, home: Path) -> None:
    assert b"did you mean ls?" in here("sessions", "lss").stderr
    assert b"llavacli sessions --help lists the commands" in here("sessions", "a.png").stderr
    bare = here("sessions")
    assert (bare.returncode, bare.stdout) == (2, b"")
    assert bare.stderr.startswith(b"Usage: llavacli sessions")


def test_a_reader_that_goes_and_a_full_disk(store: Store) -> None:
    begin(store, text="long " * 100_000)
    assert shell("@ sessions show | head -c 10; exit ${PIPESTATUS[0]}").returncode == 141
    assert shell("@ sessions show > /dev/full").returncode == 74


def test_help_loads_no_sqlite(home: Path) -> None:
    code = (
        "import sys\nfrom llavacli.app import run\nfrom llavacli.signals import Stopper\n"
        "run(sys.argv[1:], Stopper())\nprint(*sys.modules, file=sys.stderr)"
    )
    for args in (["--help"], ["sessions", "--help"], ["sessions", "ls", "--help"], ["describe", "nope.png"]):
        loaded = process([sys.executable, "-c", code, *args], text=True).stderr.split()
        assert "typer" in loaded
        assert not {"sqlite3", "rich", "markdown_it"} & set(loaded)
    loaded = process([sys.executable, "-c", code, "sessions", "ls"], text=True).stderr.split()
    assert "sqlite3" in loaded
    assert not {"torch", "numpy", "PIL", "tokenizers", "prompt_toolkit", "llavacli_core"} & set(loaded)


def test_a_table_on_a_terminal(
    terminal: Callable[..., Terminal], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = begin(store, "猫" * 40), begin(store, "\x1b[2J[red]\u202e")
    for columns, model in ((80, ""), (120, "name +")):
        monkeypatch.setenv("COLUMNS", str(columns))
        screen = terminal("sessions", "ls")
        assert screen.end() == 0
        heading, *rows = screen.shown.decode().splitlines()
        assert heading.startswith("\x1b[1mID ")
        assert re.fullmatch(rf"{second}  [-: \d]{{16}}  1 +{model}\\x1b\[2J\[red\]\\u202e", rows[0])
        assert re.fullmatch(rf"{first}  [-: \d]{{16}}  1 +{model}猫+…", rows[1])
        assert cell_len(rows[1]) in (columns, columns - 1)


def test_a_terminal_gets_the_latest_twenty(terminal: Callable[..., Terminal], store: Store) -> None:
    for _ in range(22):
        begin(store)
    screen = terminal("sessions", "ls", stderr=True)
    assert screen.end() == 0
    assert screen.shown.count(b"What is this?") == 20
    assert b"and 2 more: --limit 0 lists all" in screen.shown
    screen = terminal("sessions", "search", "circle", stderr=True)
    assert screen.end() == 0
    assert screen.shown.count(b"A red circle.") == 20
    assert b"and more: --limit 0 lists all" in screen.shown


def test_a_terminal_shows_what_could_steer_it_escaped(terminal: Callable[..., Terminal], store: Store) -> None:
    begin(store, "\x1b[2J\x9b", "\x1b]0;title\x07 [/INST]\u202e red")
    for args in (("show",), ("search", "red"), ("export",)):
        screen = terminal("sessions", *args, "--color", "never")
        assert screen.end() == 0
        assert b"\x1b" not in screen.shown
        assert b"\\x1b]0;title\\x07" in screen.shown
        assert "\u202e".encode() not in screen.shown


@pytest.mark.parametrize(("reply", "left"), [(b"y\n", 0), (b"n\n", 1), (b"\n", 1), (b"\x03", 1)])
def test_rm_asks_on_a_terminal(terminal: Callable[..., Terminal], store: Store, reply: bytes, left: int) -> None:
    id_ = begin(store, "\x1b[2J?")
    screen = terminal("sessions", "rm", id_, stderr=True)
    screen.wait_for(f"remove conversation {id_} (\\x1b[2J?)? [y/N] ".encode())
    os.write(screen.master, reply)
    assert screen.end() == (130 if reply == b"\x03" else 0)
    assert len(store.list()) == left


def test_ids_complete(store: Store, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from llavacli.completion import session_ids

    assert session_ids("") == []
    id_ = begin(store)
    assert session_ids(id_[:4]) == [id_]
    assert session_ids("x") == []
    store.close()
    Path(store.path).write_bytes(b"no database" * 1000)
    assert session_ids("") == []
