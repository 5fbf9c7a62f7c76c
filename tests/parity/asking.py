"""Asking our engine, and comparing what it says with what the reference said."""

from __future__ import annotations

from typing import Any

from llavacli_core.events import Done, Text
from llavacli_core.options import Sampling
from tests.reference.answering import Answer
from tests.reference.cases import Case


def finish(generation: Any) -> Done:
    """The last event; the pieces of text before it must join to its text."""
    *pieces, done = list(generation)
    assert isinstance(done, Done)
    assert all(isinstance(piece, Text) for piece in pieces)
    assert "".join(piece.text for piece in pieces) == done.text
    return done


def assert_same(engine: Any, case: Case, expected: Answer, max_tokens: int) -> Done:
    """Prompt text, prompt ids, new ids and text are the reference's; our last event."""
    request = engine.processor.prepare(case.messages)
    assert request.prompt_text == expected.prompt_text
    assert request.token_ids == expected.prompt_ids
    done = finish(engine.generate(case.messages, Sampling(max_tokens=max_tokens)))
    assert done.token_ids == expected.token_ids
    assert done.text == expected.text
    assert done.prompt_text == expected.prompt_text
    assert done.usage.prompt_tokens == len(expected.prompt_ids)
    assert done.usage.completion_tokens == len(expected.token_ids)
    return done
