"""Memory that gives out in the middle of an answer is an error with advice, and the next answer is none the worse."""

import pytest
import torch

import llavacli_core as core
from llavacli_core.errors import OutOfMemory

QUESTION = [core.Message("user", "Where is the star?")]


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()], ids=["device", "host"])
def test_while_tokens_are_made(error, monkeypatch):
    engine = core.load("demo", device="cpu", dtype="float32")
    *_, expected = engine.generate(QUESTION)
    step = engine.network.decoder.step
    taken = []

    def fails(token, cache):
        taken.append(token)
        if len(taken) == 3:
            raise error
        return step(token, cache)

    monkeypatch.setitem(engine.network.decoder.__dict__, "step", fails)
    with pytest.raises(OutOfMemory, match="not enough memory on cpu for an answer") as caught:
        list(engine.generate(QUESTION))
    assert "--max-memory" in caught.value.hint
    *_, again = engine.generate(QUESTION)
    assert again.token_ids == expected.token_ids
