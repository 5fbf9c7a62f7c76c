"""Layouts: no device takes more than it may, order is kept, and what cannot be is said."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llavacli_core.checkpoint.layout import DISK, MEMORY, Layout, Needs, kept, lay_out, named, taken
from llavacli_core.errors import OutOfMemory

sizes = st.integers(0, 60)
needs = st.builds(
    Needs,
    first=sizes,
    blocks=st.lists(st.integers(1, 60), max_size=12).map(tuple),
    last=sizes,
    cache=st.integers(0, 10),
    working=st.integers(0, 20),
)
budgets = st.lists(st.integers(0, 500), min_size=1, max_size=4).map(
    lambda each: [(f"cuda:{index}", size) for index, size in enumerate(each)]
)
memory = st.integers(0, 400)


def laid_out(needs, budgets, memory):
    try:
        return lay_out(needs, budgets, memory)
    except OutOfMemory:
        return None


@given(needs, budgets, memory)
def test_within_budget_and_in_order(needs, budgets, memory):
    layout = laid_out(needs, budgets, memory)
    assume(layout is not None)
    allowed = dict(budgets)
    for device, size in taken(needs, layout).items():
        assert size <= allowed[device]
    assert kept(needs, layout, MEMORY) <= memory
    assert kept(needs, layout, MEMORY) + kept(needs, layout, DISK) == sum(needs.blocks[layout.residents :])
    assert len(layout.blocks) == len(needs.blocks)
    order = [layout.first, *layout.blocks, *([layout.last] if needs.last else [])]
    assert order == sorted(order)
    if not needs.last:
        assert layout.last == layout.first
    if layout.guests:
        assert {*layout.blocks[layout.residents :], layout.last} == {layout.blocks[-1]} or not needs.last


@given(needs, budgets, memory)
def test_nothing_is_a_guest_that_could_stay(needs, budgets, memory):
    layout = laid_out(needs, budgets, memory)
    everything = needs.first + sum(needs.blocks) + len(needs.blocks) * needs.cache + needs.last + needs.working
    if everything <= max(size for _, size in budgets):
        assert layout is not None
        assert layout.whole


@given(needs, budgets, memory, st.integers(0, 3), st.integers(0, 100))
def test_more_memory_never_makes_it_worse(needs, budgets, memory, which, more):
    """A device given more takes as many layers, or more."""
    before = laid_out(needs, budgets, memory)
    assume(before is not None)
    larger = [(name, size + more * (index == which)) for index, (name, size) in enumerate(budgets)]
    after = laid_out(needs, larger, memory)
    assert after is not None
    assert len(after.guests) <= len(before.guests)


SIX = Needs(first=10, blocks=(20,) * 6, last=10, cache=2, working=5)


@pytest.mark.parametrize(
    ("budgets", "memory", "expected"),
    [
        ([("cuda:0", 157)], 0, Layout(first="cuda:0", blocks=("cuda:0",) * 6, last="cuda:0")),
        (
            [("cuda:0", 60), ("cuda:1", 157)],  # one device is enough, though not the first
            0,
            Layout(first="cuda:1", blocks=("cuda:1",) * 6, last="cuda:1"),
        ),
        (
            [("cuda:0", 81), ("cuda:1", 81)],
            0,
            Layout(first="cuda:0", blocks=("cuda:0",) * 3 + ("cuda:1",) * 3, last="cuda:1"),
        ),
        (
            [("cuda:0", 156)],  # one byte too few: two layers come and go in the room of two
            200,
            Layout(first="cuda:0", blocks=("cuda:0",) * 6, last="cuda:0", guests=("cpu",) * 3),
        ),
        (
            [("cuda:0", 137)],
            45,
            Layout(first="cuda:0", blocks=("cuda:0",) * 6, last="cuda:0", guests=("cpu", "cpu", "disk")),
        ),
        ([("cpu", 77)], 0, Layout(first="cpu", blocks=("cpu",) * 6, last="cpu", guests=("disk",) * 6)),
        (
            [("cuda:0", 40), ("cuda:1", 90)],
            45,
            Layout(
                first="cuda:0",
                blocks=("cuda:0", *["cuda:1"] * 5),
                last="cuda:1",
                guests=("cpu", "cpu", "disk", "disk"),
            ),
        ),
    ],
)
def test_layouts(budgets, memory, expected):
    assert lay_out(SIX, budgets, memory) == expected


def test_too_little_is_said_with_what_would_do():
    with pytest.raises(OutOfMemory, match="at least") as caught:
        lay_out(SIX, [("cpu", 76)], 0)
    assert caught.value.code == "out_of_memory"


@pytest.mark.parametrize(
    ("devices", "homes", "expected"),
    [
        (["cpu"], [], "cpu"),
        (["cuda:0"], [], "cuda:0"),
        (["cuda:0", "cuda:0", "cuda:1"], [], "cuda:0-1"),
        (["cuda:0", "cuda:1", "cuda:2", "cuda:5"], [], "cuda:0-2,5"),
        (["cuda:1", "cuda:0"], ["cpu"], "cuda:1,0+cpu"),
        (["cuda:3"], ["cpu", "disk"], "cuda:3+cpu+disk"),
        (["cpu"], ["disk"], "cpu+disk"),
        (["mps:0"], [], "mps:0"),
    ],
)
def test_names(devices, homes, expected):
    assert named(devices, homes) == expected
