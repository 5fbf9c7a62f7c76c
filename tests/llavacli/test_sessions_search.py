"""Search: all words, parts of words, any case, any script."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llavacli.sessions.records import Attachment, Header
from llavacli.sessions.store import Store
from tests.llavacli.kept import answer, texts


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path / "sessions.db"))


def fill(store: Store) -> None:
    saved = store.begin(Header(model="m"))
    saved.add_user([Attachment(kind="image", name="Photos/cat.jpg"), "Where is the star?"])
    saved.add_assistant(answer('A RED circle, "quoted" * and 100% 这是一只猫. ÄRGER, Σίσυφος'))
    saved.add_user(["nothing\0here to_see\nafter"])


def excerpts(store: Store, query: str) -> list[str]:
    return [hit.excerpt for hit in store.search(query)]


FOUND = ["red", "CIRC", "red circle", "circle red", '"quoted"', "*", "100%", "猫", "一只", "是一只", "ärg", "σίσ", "d"]
ABSENT = ["", " ", "red star", "redcircle", "1000%", "a_b", "猫猫", "NEAR(red)", "red NOT blue", "text:red", "x\0y"]


@pytest.mark.parametrize("query", [*FOUND, " A "])
def test_found_in_the_answer(store: Store, query: str) -> None:
    fill(store)
    assert len(excerpts(store, query)) >= 1
    assert any(hit.position == 1 and hit.role == "assistant" for hit in store.search(query))


@pytest.mark.parametrize("query", [*ABSENT, "\ud800"], ids=ascii)
def test_not_found(store: Store, query: str) -> None:
    fill(store)
    assert not excerpts(store, query)


def test_found_by_the_name_of_a_picture_and_behind_a_null(store: Store) -> None:
    fill(store)
    assert [hit.position for hit in store.search("photos cat.jpg star")] == [0]
    assert [hit.position for hit in store.search("after")] == [2]
    assert excerpts(store, "TO_SEE") == ["nothing here to_see after"]


def test_what_was_cut_is_not_found_and_what_came_later_is(store: Store) -> None:
    saved = store.begin(Header(model="m"))
    saved.add_user(["alpha"])
    assert len(store.search("alpha")) == 1
    saved.add_user(["beta"], at=0)
    assert not store.search("alpha")
    assert [hit.title for hit in store.search("beta")] == ["beta"]


def test_the_latest_first_and_so_many(store: Store) -> None:
    saved = store.begin(Header(model="m"))
    for number in range(5):
        saved.add_user([f"same {number}"])
    assert [hit.position for hit in store.search("same", limit=2)] == [4, 3]


def test_the_words_around(store: Store) -> None:
    store.begin(Header(model="m")).add_user([("before " * 40) + "needle\n\n" + ("after " * 40)])
    (excerpt,) = excerpts(store, "NEEDLE")
    assert excerpt.startswith("…")
    assert excerpt.endswith("…")
    assert "before needle after" in excerpt
    assert len(excerpt) < 130


@settings(max_examples=100, deadline=None)
@given(said=st.lists(texts() | st.text("abcABC \0\"'*", max_size=12), min_size=1, max_size=4), data=st.data())
def test_what_is_found_is_what_holds_all_words(
    said: list[str], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = "".join(said)
    start = data.draw(st.integers(0, max(len(whole) - 1, 0)))
    query = whole[start : start + data.draw(st.integers(1, 6))]
    store = Store.open(str(tmp_path_factory.mktemp("search") / "sessions.db"))
    saved = store.begin(Header(model="m"))
    for each in said:
        saved.add_user([each])
    words = query.lower().split()
    expected = [n for n, each in enumerate(said) if words and all(w in each.replace("\0", " ").lower() for w in words)]
    assert sorted(hit.position for hit in store.search(query)) == expected
    store.close()
