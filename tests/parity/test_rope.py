"""Rotary positions that are scaled for more than were trained: the reference's angles, and its answers."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

import llavacli_core as core
from llavacli_core.errors import BrokenModel, UnsupportedModel
from llavacli_core.families.decoders import read_decoder
from llavacli_core.families.keys import Keys
from llavacli_core.nn.rotary import Rotary
from llavacli_core.options import Sampling
from tests.parity.asking import finish
from tests.reference import rewriting
from tests.reference.cases import BY_NAME

pytestmark = pytest.mark.parity

LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
YARN = {"rope_type": "yarn", "factor": 4.0}
LENGTH = 300

numbers = st.floats(1.0, 40.0)
kinds = st.one_of(
    st.fixed_dictionaries({"rope_type": st.just("linear"), "factor": numbers}),
    st.fixed_dictionaries(
        {
            "rope_type": st.just("llama3"),
            "factor": numbers,
            "low_freq_factor": st.floats(0.5, 2.0),
            "high_freq_factor": st.floats(2.5, 8.0),
        },
        optional={"original_max_position_embeddings": st.integers(16, 8192)},
    ),
    st.fixed_dictionaries(
        {"rope_type": st.just("yarn"), "factor": numbers},
        optional={
            "original_max_position_embeddings": st.integers(16, 8192),
            "beta_fast": st.floats(8.0, 64.0),
            "beta_slow": st.floats(0.5, 4.0),
            "attention_factor": st.floats(0.5, 2.0),
            "mscale": st.floats(0.1, 2.0),
            "mscale_all_dim": st.floats(0.1, 2.0),
            "truncate": st.booleans(),
        },
    ),
)


def text_config(rope, theta=10000.0, head_dim=16):
    return {
        "model_type": "llama",
        "hidden_size": 2 * head_dim,
        "num_attention_heads": 2,
        "head_dim": head_dim,
        "num_hidden_layers": 1,
        "max_position_embeddings": 4096,
        "rope_theta": theta,
        "rope_scaling": rope,
    }


@given(rope=kinds, theta=st.floats(100.0, 1e7), head_dim=st.sampled_from([8, 16, 64, 128]))
@settings(max_examples=150, deadline=None)
def test_angles(rope, theta, head_dim):
    values = text_config(rope, theta, head_dim)
    positions = torch.arange(LENGTH)[None]
    cos, sin = LlamaRotaryEmbedding(LlamaConfig(**json.loads(json.dumps(values))))(torch.zeros(1), positions)
    ours = Rotary(read_decoder(Keys(values, "config.json")), LENGTH, torch.device("cpu"), torch.float32)
    half = head_dim // 2
    assert torch.equal(ours.cos[:, 0], cos[0])
    assert torch.equal(ours.sin[:, 0, half:], sin[0, :, half:])


@pytest.mark.parametrize("form", ["rope_scaling", "rope_parameters"])
@pytest.mark.parametrize("rope", [LLAMA3, YARN], ids=["llama3", "yarn"])
@pytest.mark.parametrize("base", ["llava-1.5", "next-qwen"])
def test_answers(base, rope, form, checkpoint, engine, reference, tmp_path):
    folder = rewriting.copied(checkpoint(base), tmp_path / "checkpoint")
    config = json.loads((folder / "config.json").read_text())
    text = config["text_config"]
    theta = (text.pop("rope_parameters", None) or {}).get("rope_theta", 10000.0)
    scaled = {**rope, "original_max_position_embeddings": 32}
    text |= {form: scaled | ({"rope_theta": theta} if form == "rope_parameters" else {}), "rope_theta": theta}
    (folder / "config.json").write_text(json.dumps(config))
    case = BY_NAME["photo"]
    done = finish(engine(folder).generate(case.messages, Sampling(max_tokens=16)))
    assert done.token_ids == tuple(reference(folder).answer(case, 16).token_ids)
    assert done.token_ids != finish(engine(base).generate(case.messages, Sampling(max_tokens=16))).token_ids


@pytest.mark.parametrize(
    ("rope", "positions"),
    [
        (None, 4096),
        ({"type": "linear", "factor": 2.0}, 8192),
        (LLAMA3 | {"original_max_position_embeddings": 1024}, 4096),  # stated is what there is when all is scaled
        (LLAMA3, 4096),
        (YARN | {"original_max_position_embeddings": 4096}, 16384),
    ],
)
def test_positions_that_there_are(rope, positions):
    assert read_decoder(Keys(text_config(rope), "config.json")).positions == positions


@pytest.mark.parametrize(
    ("rope", "error", "word"),
    [
        ({"rope_type": "dynamic", "factor": 2.0}, UnsupportedModel, "known: default, linear, llama3, yarn"),
        (LLAMA3 | {"high_freq_factor": 0.5}, BrokenModel, "high_freq_factor"),
        (YARN | {"factor": -1}, BrokenModel, "factor"),
        (YARN | {"beta_fast": 0.1}, BrokenModel, "beta_fast"),
        (YARN | {"factor": 1e9}, BrokenModel, "factor"),
    ],
)
def test_what_is_refused(rope, error, word):
    with pytest.raises(error) as refused:
        read_decoder(Keys(text_config(rope), "config.json"))
    assert word in f"{refused.value} {refused.value.hint}"
    assert isinstance(refused.value, core.errors.CoreError)
