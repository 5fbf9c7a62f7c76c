"""What is ready comes first, in the order given where that is no wait, and errors in their turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from llavacli_core.engine.ahead import Ahead


def rest(ahead: Ahead[int, int]) -> list[int]:
    """All that is to come."""
    taken = []
    while not ahead.over:
        made = ahead.take(0.05)
        if made is not None:
            taken.append(made)
    return taken


def test_all_come_once_to_whoever_asks():
    with Ahead(range(200), lambda n: n * n, depth=5, threads=3) as ahead, ThreadPoolExecutor(4) as threads:
        taken = [each.result() for each in [threads.submit(rest, ahead) for _ in range(4)]]
    assert sorted(number for each in taken for number in each) == [n * n for n in range(200)]


def test_one_that_takes_long_keeps_no_other_waiting():
    go = threading.Event()

    def prepare(number: int) -> int:
        if number == 0:
            go.wait(20)
        return number

    with Ahead(range(6), prepare, depth=4, threads=2) as ahead:
        assert [ahead.take(20) for _ in range(5)] == [1, 2, 3, 4, 5]
        assert ahead.take(0) is None
        assert not ahead.over
        go.set()
        assert rest(ahead) == [0]


def test_what_is_ready_comes_in_order():
    with Ahead(range(8), lambda n: n, depth=8, threads=1) as ahead:
        first = ahead.take(20)
        time.sleep(0.2)
        assert [first, *rest(ahead)] == list(range(8))


def test_what_the_requests_raise_comes_last_and_once():
    def given() -> Iterator[int]:
        yield 1
        yield 2
        raise KeyError("broken")

    with Ahead(given(), lambda n: n, depth=8, threads=2) as ahead:
        assert sorted(ahead.take(20) for _ in range(2)) == [1, 2]
        with pytest.raises(KeyError, match="broken"):
            ahead.take(20)
        assert ahead.over
        assert ahead.take(0) is None


def test_no_more_are_read_than_there_is_room_for():
    read = []

    def given() -> Iterator[int]:
        for number in range(50):
            read.append(number)
            yield number

    with Ahead(given(), lambda n: n, depth=3, threads=2) as ahead:
        time.sleep(0.2)
        assert len(read) <= 4
        assert rest(ahead) == list(range(50))
