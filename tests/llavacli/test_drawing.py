"""Words that are drawn, in processes of the command's own: it imports torch without a part that generators want."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.llavacli.running import process

EXAMPLES = Path(__file__).parents[2] / "examples"
SHAPES = str(EXAMPLES / "shapes.png")
DRAWN = [
    "-q",
    "--json",
    "--temperature",
    "1.5",
    "--seed",
    "3",
    "--dtype",
    "float32",
    "--max-tokens",
    "12",
    "-p",
    "Describe it.",
]

pytestmark = pytest.mark.slow


def records(*args: str) -> list[dict[str, object]]:
    """What a command prints."""
    result = process([sys.executable, "-m", "llavacli", *args], text=True)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_seed_draws_the_same_words_alone_and_in_a_batch(home: object) -> None:
    (described,) = records("describe", *DRAWN, SHAPES)
    assert described["params"]["temperature"] == 1.5
    for rows in ("1", "4"):
        captioned = records("caption", *DRAWN, "-b", rows, str(EXAMPLES))
        assert described["text"] in [each["text"] for each in captioned if each["source"] == SHAPES]


def test_chat_draws(home: object) -> None:
    result = process(
        [sys.executable, "-m", "llavacli", "chat", "-q", "--temperature", "0.7", SHAPES],
        text=True,
        input="What is this?\n",
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()
