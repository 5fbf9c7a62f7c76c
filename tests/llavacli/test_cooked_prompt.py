"""The prompt of the terminal's own lines, where no key can be timed so well in a terminal."""

import io

import pytest

from llavacli.repl import cooked
from llavacli.repl.cooked import CookedPrompt
from llavacli.signals import Stopper


class Written(io.StringIO):
    """An output's one method."""


def test_ctrl_c_just_before_the_line_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes when the loop has looked for it, and nothing is read yet: it must not wait for Enter."""
    monkeypatch.setattr(cooked.select, "select", lambda *_: ([], [], []))
    presses = iter([True, False])
    prompt = CookedPrompt(Written(), Stopper(), lambda: next(presses))  # type: ignore[arg-type]
    monkeypatch.setattr(prompt, "_read", lambda: b"a line")
    with pytest.raises(KeyboardInterrupt):
        prompt.read()
    assert prompt.read() == "a line"
