"""Memory budgets as they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llavacli_core.budgets import Budget, memory_budgets
from llavacli_core.errors import BadOption

GIB = 2**30


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (None, []),
        ("8GiB", [Budget(None, 8 * GIB)]),
        (8 * GIB, [Budget(None, 8 * GIB)]),
        ("1.5 gib", [Budget(None, GIB * 3 // 2)]),
        ("0=20GiB", [Budget("cuda:0", 20 * GIB)]),
        (["0=20GB", "cuda:1=40KB"], [Budget("cuda:0", 20 * 10**9), Budget("cuda:1", 40000)]),
        ("0=20GB, cpu=1TiB", [Budget("cuda:0", 20 * 10**9), Budget("cpu", 2**40)]),
        ({0: "20GiB", "cpu": 123}, [Budget("cuda:0", 20 * GIB), Budget("cpu", 123)]),
        ("mps=50%", [Budget("mps", None, 0.5)]),
        ("80%", [Budget(None, None, 0.8)]),
        (["8GiB", "cpu=8GiB"], [Budget(None, 8 * GIB), Budget("cpu", 8 * GIB)]),
    ],
)
def test_what_is_meant(written, expected):
    assert list(memory_budgets(written)) == expected


@pytest.mark.parametrize(
    "written",
    [
        *["", "GiB", "8G iB", "8 gigs", "-8GiB", "0", "0GiB", "101%", "0%", "nanGiB", "1e9", "8GiB=0", "gpu=8GiB"],
        *["cuda:=8GiB", "cpu:0=8GiB", "0=", "=8GiB", "٣GiB", "0=1GiB,cuda:0=2GiB", True, "0.5", "0.9B"],
        *[["8GiB", "9GiB"], ["0=1GiB", ""], {"cpu": True}, {None: "8GiB"}],
    ],
)
def test_what_is_not(written):
    with pytest.raises(BadOption, match="max_memory"):
        memory_budgets(written)


@given(st.text())
def test_any_text_is_a_budget_or_an_error_of_ours(text):
    try:
        found = memory_budgets(text)
    except BadOption:
        return
    assert all(budget.size or budget.share for budget in found)


def test_a_share_of_what_is_free():
    (budget,) = memory_budgets("cpu=25%")
    assert budget.of(1000) == 250
    assert memory_budgets("25MB")[0].of(1000) == 25 * 10**6
