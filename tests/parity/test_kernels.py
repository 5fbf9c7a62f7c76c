"""Whichever kernel computes attention, the same tokens come in float32: alone, in a batch, in a conversation."""

import pytest

import llavacli_core as core
from llavacli_core.checkpoint import load
from llavacli_core.options import Sampling
from tests import flash
from tests.parity.asking import finish
from tests.reference.cases import BY_NAME

pytestmark = pytest.mark.parity

ASKED = [(BY_NAME[name].messages, Sampling(max_tokens=6)) for name in ("photo", "two pictures", "text only")]
LONGER = Sampling(max_tokens=12)


@pytest.fixture
def by_kernel(checkpoint, monkeypatch):
    """An engine that computes attention by a kernel; flash is a stand-in, which takes a CPU and float32 as well."""

    def make(base, kernel):
        flash.install(monkeypatch)
        monkeypatch.setattr(load, "choose_kernel", lambda *_: kernel)
        return core.load(checkpoint(base), device="cpu", dtype="float32")

    return make


@pytest.mark.parametrize("kernel", ["eager", "flash"])
@pytest.mark.parametrize("base", ["llava-interleave", "next-mistral-window", "vip"])
def test_answers(base, kernel, by_kernel, engine):
    other = by_kernel(base, kernel)
    alone = [finish(engine(base).generate(*asked)).token_ids for asked in ASKED]
    assert [finish(other.generate(*asked)).token_ids for asked in ASKED] == alone
    together = {index: event.token_ids for index, event in other.batch(ASKED) if isinstance(event, core.Done)}
    assert [together[index] for index in range(len(ASKED))] == alone


@pytest.mark.parametrize("kernel", ["eager", "flash"])
@pytest.mark.parametrize("base", ["llava-interleave", "next-mistral-window"])
def test_turns(base, kernel, by_kernel, engine):
    """A second turn is prefilled behind what is cached, beyond the window where there is one."""
    said = []
    for each in (engine(base), by_kernel(base, kernel)):
        session = each.session()
        (message,) = BY_NAME["photo"].messages
        said.append(
            [finish(session.generate(message.parts, LONGER)).token_ids]
            + [finish(session.generate(words, LONGER)).token_ids for words in ("And what else?", "Why?")]
        )
    assert said[0] == said[1]
