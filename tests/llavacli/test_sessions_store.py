"""Conversations that are kept: written, read back to the last code point, by several processes, whatever ends them."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings

from llavacli.sessions import schema
from llavacli.sessions.errors import StoreError, UnknownSession
from llavacli.sessions.ids import found, ids_from
from llavacli.sessions.records import Attachment, Header, Turn, now
from llavacli.sessions.store import Store
from tests.llavacli.kept import ROOT, answer, conversations

HEADER = Header(model="org/name", revision="main", template="vicuna", system="Be brief.", settings={"max_tokens": 64})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path / "data" / "sessions.db"))


def test_a_conversation_comes_back_as_it_was(store: Store) -> None:
    picture = Attachment(
        kind="image", name="../a b.png", path="/pictures/a b.png", marks=("box:1,2,3,4:red",), max_tiles=4
    )
    clip = Attachment(kind="video", name="-", stored=store.keep(b"clip"), asked_fps=0.1)
    saved = store.begin(HEADER)
    assert saved.id is None
    saved.add_user([picture, "What is ", clip, "this?"])
    measured = Attachment(**{**vars(picture), "sha256": "f00", "width": 40, "height": 30, "tiles": 2, "tokens": 268})
    seen = Attachment(**{**vars(clip), "frames": (0, 12), "tokens": 72})
    told = answer(
        "A circle.", model="org/name", params={"seed": 0}, usage={"prompt_tokens": 7}, timing_ms={"total": 1.5}
    )
    saved.add_assistant(told, asked=[measured, "What is ", seen, "this?"])
    loaded = store.load(saved.id or "")
    assert loaded.header == HEADER
    assert loaded.title == "What is this?"
    assert [turn.role for turn in loaded.turns] == ["user", "assistant"]
    assert loaded.turns[0].parts == (measured, "What is ", seen, "this?")
    assert loaded.turns[1] == told
    assert loaded.turns == saved.turns
    assert store.latest() == loaded
    assert Path(loaded.turns[0].attachments[1].source or "").read_bytes() == b"clip"


@settings(max_examples=60, deadline=None)
@given(conversation=conversations())
def test_any_text_comes_back(
    conversation: tuple[Header, tuple[Turn, ...]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    header, turns = conversation
    store = Store.open(str(tmp_path_factory.getbasetemp() / "any" / "sessions.db"))
    saved = store.begin(header)
    saved.put(turns, at=0)
    loaded = store.load(saved.id or "")
    assert (loaded.header, loaded.turns) == (header, turns)
    store.remove([loaded.id or ""])
    store.close()


def test_nothing_is_made_before_something_is_said(store: Store) -> None:
    assert not store.list()
    assert store.latest() is None
    assert not store.search("x")
    store.begin(HEADER).set(Header(model="other"))
    assert not os.path.exists(os.path.dirname(store.path))


def test_only_the_user_may_read_it(store: Store) -> None:
    store.begin(HEADER).add_user(["hello"])
    store.keep(b"picture")
    folder = Path(store.path).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "pictures").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("sessions.db*")} == {0o600}
    store.close()
    os.chmod(store.path, 0o644)
    assert store.list()
    assert stat.S_IMODE(os.stat(store.path).st_mode) == 0o600


def test_cut_edit_and_retry(store: Store) -> None:
    saved = store.begin(HEADER)
    for word in ("one", "two", "three"):
        saved.add_user([word])
        saved.add_assistant(answer(word.upper()))
    id_ = saved.id or ""
    saved.cut(4)  # undo
    assert [turn.text for turn in store.load(id_).turns] == ["one", "ONE", "two", "TWO"]
    saved.add_assistant(answer("again"), at=3)  # retry: the old answer is kept until the new one is done
    assert [turn.text for turn in store.load(id_).turns] == ["one", "ONE", "two", "again"]
    saved.add_user(["edited"], at=0)
    assert [turn.text for turn in store.load(id_).turns] == ["edited"]
    assert store.list()[0].title == "edited"
    saved.cut(0)
    assert not store.list()  # a conversation in which nothing is said is not kept
    saved.add_user(["anew"])
    assert [(each.id, each.turns) for each in store.list()] == [(id_, 1)]


def test_what_holds_may_change(store: Store) -> None:
    saved = store.begin(HEADER)
    saved.set(Header(model="first"))
    saved.add_user(["hello"])
    saved.set(Header(model="second", system="Be long.", settings={"temperature": 0.5}))
    assert (
        store.load(saved.id or "").header
        == saved.header
        == Header(model="second", system="Be long.", settings={"temperature": 0.5})
    )


def test_going_on_with_an_earlier_conversation(store: Store) -> None:
    store.begin(HEADER).add_user(["first"])
    store.begin(HEADER).add_user(["second"])
    first = store.load(store.list()[1].id)
    saved = store.resume(first)
    saved.add_assistant(answer("yes"))
    again = store.latest()
    assert again is not None
    assert (again.id, again.created) == (first.id, first.created)
    assert [turn.text for turn in again.turns] == ["first", "yes"]


def test_two_that_go_on_with_the_same_part_ways(store: Store) -> None:
    one = store.begin(HEADER)
    one.add_user(["hello"])
    loaded = store.load(one.id or "")
    two = Store.open(store.path).resume(loaded)
    two.add_assistant(answer("two"))
    stale = Store.open(store.path).resume(loaded)  # loaded before, resumed after: it has changed in between
    one.add_assistant(answer("one"))
    stale.add_assistant(answer("stale"))
    assert len({one.id, two.id, stale.id}) == 3
    assert two.id == loaded.id
    for saved, text in ((one, "one"), (two, "two"), (stale, "stale")):
        assert [turn.text for turn in store.load(saved.id or "").turns] == ["hello", text]


def test_a_conversation_that_was_removed_stays_removed(store: Store) -> None:
    saved = store.begin(HEADER)
    saved.add_user(["secret"])
    store.remove([saved.id or ""])
    with pytest.raises(StoreError, match="was removed meanwhile"):
        saved.add_user(["more"])
    assert not store.list()


def test_what_is_removed_is_gone_from_the_disk(store: Store) -> None:
    saved, other = store.begin(HEADER), store.begin(HEADER)
    shared, own = store.keep(b"shared"), store.keep(b"own")
    saved.add_user([Attachment(kind="image", name="-", stored=own), "the word xyzzyplugh"])
    saved.add_user([Attachment(kind="image", name="-", stored=shared)])
    other.add_user([Attachment(kind="image", name="-", stored=shared)])
    assert len(store.search("xyzzyplugh")) == 1
    store.remove([saved.id or ""])
    assert [each.id for each in store.list()] == [other.id]
    assert (os.path.exists(own), os.path.exists(shared)) == (False, True)
    assert not store.search("xyzzyplugh")
    assert not any(b"xyzzyplugh" in path.read_bytes() for path in Path(store.path).parent.glob("sessions.db*"))


def test_copies_that_no_turn_shows_go_after_a_day(store: Store) -> None:
    fresh, old = store.keep(b"fresh"), store.keep(b"old")
    os.utime(old, (time.time() - 2 * 86400,) * 2)
    store.remove([])
    assert (os.path.exists(fresh), os.path.exists(old)) == (True, False)


def test_ids_sort_by_time_and_are_found_by_their_beginning() -> None:
    start = datetime(2026, 11, 21, tzinfo=UTC)
    moments = [start + timedelta(seconds=second) for second in (0, 0.09, 1, 3600, 86399.99)]
    ids = [next(ids_from(moment)) for moment in moments]
    assert ids == sorted(set(ids))
    assert ids[0] == "20261121-0000"
    assert next(ids_from(start.replace(day=22))) > ids[-1]
    known = ["20261120-3f9a", "20261121-3f9b", "20261121-40a1"]
    assert found("20261120", known) == found("3F9A", known) == found("2o26l120-3", known) == "20261120-3f9a"
    assert found("40", known) == "20261121-40a1"
    for text, message, hint in (
        ("20261121", "2 conversations begin with", "20261121-3f9b, 20261121-40a1"),
        ("20261120-3f9b", "no conversation '20261120-3f9b'", "did you mean 20261121-3f9b or 20261120-3f9a"),
        ("zebra", "no conversation 'zebra'", "sessions ls"),
        ("", "is empty", "sessions ls"),
    ):
        with pytest.raises(UnknownSession, match=message) as caught:
            found(text, known)
        assert hint in (caught.value.hint or "")


def test_ids_of_one_moment_differ(store: Store) -> None:
    conversations = [store.begin(HEADER) for _ in range(30)]
    for each in conversations:
        each.add_user(["hello"])
    assert len({each.id for each in conversations}) == len(store.list()) == 30


@pytest.mark.parametrize("damage", ["garbage", "folder", "below a file", "hole", "foreign", "newer"])
def test_a_database_that_is_none_is_one_kind_of_error(store: Store, tmp_path: Path, damage: str) -> None:
    path = Path(store.path)
    if damage == "below a file":
        path.parent.write_text("a file")
    else:
        path.parent.mkdir()
    if damage == "garbage":
        path.write_bytes(b"no database" * 1000)
    elif damage == "folder":
        path.mkdir()
    elif damage == "foreign":
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE sessions (other)")
    elif damage in ("hole", "newer"):
        store.begin(HEADER).add_user(["hello" * 5000])
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            if damage == "newer":
                connection.execute("PRAGMA user_version = 99")
        connection.close()
        store.close()
        if damage == "hole":
            with path.open("r+b") as file:
                file.seek(4096)
                file.write(b"\xff" * 4096 * 6)
    with pytest.raises(StoreError) as caught:  # noqa: PT012 - some are noticed when writing, some when reading
        store.begin(HEADER).add_user(["hello"])
        store.load(store.list()[-1].id)
    assert caught.value.hint
    assert str(path) in str(caught.value)
    assert ("newer llavacli" in str(caught.value)) == (damage == "newer")


def test_a_full_disk_is_told_and_leaves_what_was(store: Store) -> None:
    saved = store.begin(HEADER)
    saved.add_user(["hello"])
    with store._database.writing() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
    store._database._connection.execute(f"PRAGMA max_page_count = {pages}")  # type: ignore[union-attr]
    with pytest.raises(StoreError, match="full"):
        saved.add_assistant(answer("long" * 100_000))
    assert [turn.text for turn in store.load(saved.id or "").turns] == ["hello"]
    saved.cut(0)
    assert not store.list()


def test_a_database_that_may_not_be_written(store: Store) -> None:
    saved = store.begin(HEADER)
    saved.add_user(["hello"])
    store._database._connection.execute("PRAGMA query_only = ON")  # type: ignore[union-attr]
    with pytest.raises(StoreError, match="readonly"):
        saved.add_assistant(answer("yes"))
    assert [turn.text for turn in store.load(saved.id or "").turns] == ["hello"]


def test_a_signal_in_the_middle_leaves_what_was(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = store.begin(HEADER)
    saved.add_user(["hello"])

    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("llavacli.sessions.saved.put_turn", interrupted)
    with pytest.raises(KeyboardInterrupt):
        saved.add_user(["edited"], at=0)
    monkeypatch.undo()
    assert [turn.text for turn in store.load(saved.id or "").turns] == ["hello"]
    saved.add_assistant(answer("yes"))
    assert [turn.text for turn in store.load(saved.id or "").turns] == ["hello", "yes"]


def test_another_thread_may_go_on(store: Store) -> None:
    saved = store.begin(HEADER)
    saved.add_user(["hello"])
    thread = threading.Thread(target=lambda: saved.add_assistant(answer("yes")))
    thread.start()
    thread.join()
    assert len(saved.turns) == len(store.load(saved.id or "").turns) == 2


def test_another_program_that_holds_the_database_is_waited_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llavacli.sessions.database.PATIENCE", 0.2)
    store.begin(HEADER).add_user(["hello"])
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = Store.open(store.path)
    with pytest.raises(StoreError, match="in use by another program"):
        waiting.begin(HEADER).add_user(["waits"])
    assert len(waiting.list()) == 1  # readers do not wait
    other.execute("COMMIT")
    other.close()
    waiting.begin(HEADER).add_user(["waits"])
    assert len(store.list()) == 2


def test_a_database_of_an_earlier_release_is_brought_forward(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.begin(HEADER).add_user(["hello"])
    store.close()
    monkeypatch.setattr(
        schema, "MIGRATIONS", (*schema.MIGRATIONS, ("ALTER TABLE sessions ADD COLUMN starred INTEGER",))
    )
    assert store.list()[0].title == "hello"
    with store._database.reading() as connection:
        assert connection.execute("SELECT starred FROM sessions").fetchall() == [(None,)]
    store.close()
    monkeypatch.undo()
    with pytest.raises(StoreError, match="newer llavacli"):
        store.list()


WRITER = """
import os
import sys
from llavacli.sessions.records import Header, Turn
from llavacli.sessions.store import Store
store = Store.open(sys.argv[1])
def tell(*words):
    os.write(1, (" ".join(map(str, words)) + chr(10)).encode())  # one write: never half a line
tell("ready")
for n in range(int(sys.argv[2])):
    saved = store.begin(Header(model="m"))
    for turn in range(20):
        saved.add_user([f"{turn} " + "question " * 50])
        tell(saved.id, 2 * turn + 1)
        saved.add_assistant(Turn(role="assistant", parts=("answer " * 500,)))
        tell(saved.id, 2 * turn + 2)
"""


def writer(path: str, count: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", WRITER, path, str(count)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)


def test_several_processes_begin_and_write_one_database_at_once(store: Store) -> None:
    writers = [writer(store.path, 2) for _ in range(4)]
    assert [each.communicate(timeout=60)[1] for each in writers] == [b""] * 4
    assert [each.turns for each in store.list()] == [20] * 8


def test_killed_at_any_moment_it_loses_nothing_it_had_told(store: Store) -> None:
    chance = random.Random(4)
    told: dict[str, int] = {}
    for _ in range(20):
        process = writer(store.path, 1000)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(chance.uniform(0, 0.08))
        process.send_signal(signal.SIGKILL)
        lines = process.communicate()[0].decode().splitlines()
        told |= {line.split()[0]: int(line.split()[1]) for line in lines}
    kept = {each.id: len(store.load(each.id).turns) for each in store.list()}
    assert len(told) >= 5
    assert all(kept[id_] - turns in (0, 1) for id_, turns in told.items())  # one may be written and not told yet
    for id_ in kept:
        turns = store.load(id_).turns
        assert [turn.role for turn in turns] == (["user", "assistant"] * 20)[: len(turns)]
        assert all(turn.text.count("answer") == 500 for turn in turns[1::2])
    with store._database.reading() as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert not connection.execute("PRAGMA foreign_key_check").fetchall()


def test_list_says_what_is_old(store: Store) -> None:
    saved = store.begin(HEADER)
    saved.add_user([Attachment(kind="image", name="a.png"), Attachment(kind="image", name="b.png")])
    (each,) = store.list()
    assert (each.title, each.turns, each.attachments, each.model) == ("a.png, b.png", 1, 2, "org/name")
    assert not store.list(before=now() - timedelta(hours=1))
    assert store.list(before=now() + timedelta(hours=1))
    assert not store.list(limit=0)
