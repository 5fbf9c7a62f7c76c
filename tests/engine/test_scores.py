"""Scores, hidden states and attention of a whole conversation, beside the reference's."""

import pytest
import torch

import llavacli_core as core
from llavacli_core.options import Sampling
from tests.parity.asking import finish
from tests.reference.cases import BY_NAME

pytestmark = pytest.mark.parity


@pytest.mark.parametrize(
    ("base", "case"), [("next-mistral-window", "two pictures"), ("video", "two clips around a picture")]
)
@torch.no_grad()
def test_scores_of_every_position(base, case, engine, reference):
    theirs, inputs = reference(base).model, reference(base).inputs(BY_NAME[case])
    theirs.set_attn_implementation("eager")
    expected = theirs(**inputs, output_hidden_states=True, output_attentions=True)
    scores = engine(base).forward(BY_NAME[case].messages, hidden_states=True, attentions=True)
    assert isinstance(scores, core.Scores)
    assert list(scores.token_ids) == inputs["input_ids"][0].tolist()
    close(scores.logits, expected.logits[0])
    for ours, other in zip(scores.hidden_states, expected.hidden_states, strict=True):
        close(ours, other[0])
    for ours, other in zip(scores.attentions, expected.attentions, strict=True):
        close(ours, other[0])
    assert scores.cross_attentions is None


def test_an_answer_is_what_scores_best(engine):
    messages = BY_NAME["photo"].messages
    done = finish(engine("llava-1.5").generate(messages, Sampling(max_tokens=6)))
    scores = engine("llava-1.5").forward(messages, done.token_ids)
    assert scores.logits.argmax(-1)[-7:-1].tolist() == list(done.token_ids)
    assert scores.hidden_states is None
    assert scores.attentions is None


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, atol=2e-4, rtol=1e-4)
