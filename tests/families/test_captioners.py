"""A captioner's config.json: what each class assumes where it is silent, older spellings, and what is refused."""

import json
import re
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertConfig, GPT2Config, RobertaConfig, TrOCRConfig

from llavacli_core.errors import BrokenModel, CoreError, UnsupportedModel
from llavacli_core.families.generation import read_generation
from llavacli_core.families.keys import Keys
from llavacli_core.families.registry import family_of
from llavacli_core.families.text_decoders import read_text_decoder
from tests.reference import captioners


def read(section: dict):
    return read_text_decoder(Keys(section, "config.json: decoder"))


def config_of(pair: captioners.Pair = captioners.PAIRS[0]) -> dict:
    return json.loads(pair.config().to_json_string())


@pytest.mark.parity
@pytest.mark.parametrize("reference", [GPT2Config(), TrOCRConfig(), BertConfig(), RobertaConfig()])
def test_a_silent_section_means_what_the_class_assumes(reference):
    ours = read({"model_type": reference.model_type})
    for name in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "tie_word_embeddings"):
        assert getattr(ours, name) == getattr(reference, name), name
    assert ours.max_position_embeddings + (ours.position_offset if ours.skip_padding else 0) == (
        reference.max_position_embeddings
    )
    assert ours.pad_token_id == reference.pad_token_id
    assert ours == read(json.loads(reference.to_json_string()) | {"cross_attention_hidden_size": None})


def test_a_decoder_without_a_type_is_bert():
    assert read({}) == read({"model_type": "bert"})


@pytest.mark.parametrize(
    ("section", "spelt"),
    [
        (
            {"model_type": "gpt2", "n_embd": 48, "n_layer": 2, "n_head": 3, "n_positions": 64, "n_inner": None},
            {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "max_position_embeddings": 64},
        ),
        (
            {"model_type": "trocr", "d_model": 48, "decoder_layers": 2, "decoder_attention_heads": 3},
            {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3},
        ),
    ],
)
def test_common_names_are_known_too(section, spelt):
    assert read(section) == read({"model_type": section["model_type"], **spelt})


def test_activations_that_are_one_function():
    section = {"model_type": "gpt2"}
    assert read(section) == read(section | {"activation_function": "gelu_pytorch_tanh"})
    assert replace(read(section | {"activation_function": "relu"}), hidden_act="gelu_pytorch_tanh") == read(section)


def test_scores_are_scaled_as_gpt2_says():
    section = {"model_type": "gpt2", "n_embd": 64, "n_head": 4, "n_layer": 3}
    assert read(section).score_factors == (1, 1, 1)
    assert read(section | {"scale_attn_weights": False}).score_factors == (4, 4, 4)
    assert read(section | {"scale_attn_by_inverse_layer_idx": True}).score_factors == (1, 1 / 2, 1 / 3)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"model_type": "gpt2", "n_embd": 10, "n_head": 3}, "n_head is 3, expected a divisor of the hidden size, 10"),
        ({"model_type": "gpt2", "cross_attention_hidden_size": 5}, "cross_attention_hidden_size is 5"),
        ({"model_type": "bert", "position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"model_type": "roberta", "pad_token_id": None}, "pad_token_id is missing"),
        ({"model_type": "roberta", "max_position_embeddings": 2}, "max_position_embeddings is 2"),
        ({"model_type": "trocr", "use_learned_position_embeddings": False, "pad_token_id": None}, "pad_token_id"),
        ({"model_type": "trocr", "decoder_layers": 10**9}, "decoder_layers"),
    ],
)
def test_sections_that_cannot_be(section, said):
    with pytest.raises(BrokenModel, match=said):
        read(section)


@pytest.mark.parametrize("name", ["distilbert", "bart", 7, ["bert"]])
def test_other_decoders(name):
    with pytest.raises(UnsupportedModel, match=re.escape(f"the decoder {name!r} is not supported")) as raised:
        read({"model_type": name})
    assert "gpt2, trocr, bert, roberta" in raised.value.hint
    assert ("no decoder with cross-attention" in raised.value.hint) == (name == "distilbert")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2000) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(data=st.data())
def test_any_values_are_a_config_or_an_error_of_ours(data):
    config = config_of(data.draw(st.sampled_from(captioners.PAIRS)))
    section = data.draw(st.sampled_from([config, config["decoder"]]))
    for name in data.draw(st.lists(st.sampled_from(sorted(section)), max_size=3)):
        section[name] = data.draw(JSON)
    with suppress(CoreError):
        decoder = family_of(config).read(config).decoder
        assert decoder.hidden_size % decoder.num_attention_heads == 0
        assert read_generation({}, config).num_beams >= 1


def test_the_whole_config():
    config = config_of()
    family = family_of(config)
    model = family.read(config)
    assert (model.family, model.dtype, model.eos_token_ids) == ("vision-encoder-decoder", "float32", (captioners.END,))
    assert (model.decoder_start_token_id, model.pad_token_id) == (captioners.START, captioners.PADDING)
    assert model.projected  # 32 channels to 40
    assert "enc_to_dec_proj.weight" in family.names(config)
    assert not family.read(config_of(captioners.BY_NAME["deit+trocr"])).projected


def test_states_of_a_size_that_nobody_gives():
    config = config_of(captioners.BY_NAME["deit+trocr"])
    config["decoder"]["cross_attention_hidden_size"] = 33
    with pytest.raises(BrokenModel, match="cross_attention_hidden_size is 33, expected null or the encoder's"):
        family_of(config).read(config)


def test_end_tokens_may_be_the_decoders():
    config = config_of()
    del config["eos_token_id"]
    config["decoder"]["eos_token_id"] = [5, 6]
    assert family_of(config).read(config).eos_token_ids == (5, 6)
