"""What the bar of `caption` says in how much room."""

from __future__ import annotations

import os

import pytest

from llavacli.captioning import tally
from llavacli.captioning.bar import Bar
from llavacli.captioning.tally import Tally
from llavacli.streams import Notes


@pytest.fixture
def halfway(monkeypatch: pytest.MonkeyPatch) -> Tally:
    """After 100 seconds 1000 of 2000 are done with."""
    now = [0.0]
    monkeypatch.setattr(tally.time, "monotonic", lambda: now[0])
    found = Tally(2000, skipped=0, failed_before=0)
    found.captioned, found.tokens = 997, 45_000
    found.failed["input_unreadable"] = 3
    now[0] = 100.0
    return found


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (58, "1000/2000  10.0/s  450 tokens/s  3 failed  1:40 left"),
        (52, "1000/2000  10.0/s  450 tokens/s  3 failed  1:40 left"),
        (51, "1000/2000  10.0/s  3 failed  1:40 left"),
        (38, "1000/2000  10.0/s  3 failed  1:40 left"),
        (37, "1000/2000  3 failed  1:40 left"),
        (9, "1000/2000"),
        (0, ""),
    ],
)
def test_where_there_is_little_room_speeds_go_first(halfway: Tally, columns: int, line: str) -> None:
    assert halfway.progress(columns) == line


@pytest.mark.parametrize(
    ("columns", "has_bar"), [("1", False), ("40", False), ("70", False), ("71", True), ("80", True)]
)
def test_the_line_is_no_wider_than_the_terminal_however_long_the_run(
    halfway: Tally, monkeypatch: pytest.MonkeyPatch, columns: str, has_bar: bool
) -> None:
    """And whether there is a bar does not depend on what the figures are at the moment."""
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(os, "tcgetpgrp", lambda fd: os.getpgrp())  # the tests may run in the background
    drawn: list[str] = []
    notes = Notes()
    notes.is_terminal = True
    monkeypatch.setattr(notes, "raw", drawn.append)
    for captioned in (0, 997, 1_234_567):
        halfway.total, halfway.captioned = 2_000_000, captioned
        Bar(halfway, notes, is_free=True).tick()
    lines = [line.removeprefix("\r\x1b[2K") for line in drawn]
    assert len(lines) == 3
    assert max(map(len, lines)) < int(columns)
    assert ["█" in line or "░" in line for line in lines] == [has_bar] * 3


def test_an_answer_counts_by_its_tokens_and_before_that_by_its_pieces() -> None:
    found = Tally(2, skipped=0, failed_before=0)
    for index in (0, 1, 0):
        found.piece(index)
    assert found.tokens == 3
    found.answer(0, 7)
    assert found.tokens == 8
    found.answer(1, 1)
    assert found.tokens == 8
