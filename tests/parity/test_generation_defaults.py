"""What a checkpoint asks of its answers is what transformers takes from the same files."""

import json

import pytest
from transformers import GenerationConfig, VisionEncoderDecoderModel

from llavacli_core.errors import BrokenModel
from llavacli_core.families.generation import read_generation
from tests.reference import captioners

pytestmark = pytest.mark.parity
SILENT = {  # what stands for None in ours
    "min_length": 0,
    "no_repeat_ngram_size": 0,
    "repetition_penalty": 1.0,
    "num_beams": 1,
    "length_penalty": 1.0,
    "early_stopping": False,
}
SAME = ("bos_token_id", "pad_token_id", "decoder_start_token_id", "max_length", "max_new_tokens", "min_new_tokens")

OLD_DECODER = {
    "model_type": "trocr",
    "max_length": 20,
    "num_beams": 1,
    "early_stopping": False,
    "no_repeat_ngram_size": 0,
    "decoder_start_token_id": 2,
    "eos_token_id": 2,
    "bos_token_id": 0,
    "pad_token_id": 1,
    "forced_eos_token_id": None,
    "length_penalty": 1.0,
}
CONFIGS = {
    "silent": {},
    "old decoder": {"decoder": OLD_DECODER},
    "top level first": {"max_length": 64, "num_beams": 4, "early_stopping": True, "decoder": OLD_DECODER},
    "null at the top": {"eos_token_id": None, "max_length": None, "decoder": OLD_DECODER},
    "a list of ends": {"eos_token_id": [3, 4], "decoder": OLD_DECODER},
    "trained": {
        "decoder": OLD_DECODER | {"length_penalty": 2.0, "no_repeat_ngram_size": 3, "num_beams": 4},
        "forced_bos_token_id": 0,
        "forced_eos_token_id": 2,
        "min_length": 3,
        "length_penalty": -0.5,
    },
    "text section": {"text_config": {"max_length": 33, "eos_token_id": 9}},
    "decoder before text section": {"decoder": {"max_length": 11}, "text_config": {"max_length": 33}},
}
GENERATIONS = {
    "published": {"_from_model_config": True, "bos_token_id": 0, "decoder_start_token_id": 2, "eos_token_id": 2},
    "own": {
        "max_new_tokens": 30,
        "min_new_tokens": 0,
        "num_beams": 3,
        "early_stopping": "never",
        "eos_token_id": [1, 2],
    },
}


def as_list(value) -> tuple:
    return () if value is None else tuple(value) if isinstance(value, list) else (value,)


def check(folder) -> None:
    """Ours against what a model of the folder would generate by."""
    generation = folder / "generation_config.json"
    config = json.loads((folder / "config.json").read_text())
    ours = read_generation(json.loads(generation.read_text()) if generation.is_file() else {}, config)
    if generation.is_file():
        theirs = GenerationConfig.from_pretrained(folder)
    else:  # as `adjust_generation_fn` does then
        theirs = GenerationConfig.from_pretrained(folder, config_file_name="config.json", _from_model_config=True)
    for name in SAME:
        assert getattr(ours, name) == getattr(theirs, name), name
    for name, silent in SILENT.items():
        value = getattr(theirs, name)
        assert getattr(ours, name) == (silent if value is None else value), name
    assert ours.forced_bos_token_id == theirs.forced_bos_token_id
    assert ours.eos_token_ids == as_list(theirs.eos_token_id)
    assert ours.forced_eos_token_id == as_list(theirs.forced_eos_token_id)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("generation", [None, *GENERATIONS])
def test_defaults(tmp_path, name, generation):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vision-encoder-decoder", **CONFIGS[name]}))
    if generation is not None:
        (tmp_path / "generation_config.json").write_text(json.dumps(GENERATIONS[generation]))
    check(tmp_path)


def test_a_whole_checkpoint(tmp_path):
    captioners.write(captioners.PAIRS[0], tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["decoder"] |= {"max_length": 17, "num_beams": 2}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "generation_config.json").unlink()
    theirs = VisionEncoderDecoderModel.from_pretrained(tmp_path).generation_config
    assert (theirs.max_length, theirs.num_beams, theirs.decoder_start_token_id) == (17, 2, captioners.START)
    check(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("max_length", 0),
        ("num_beams", "four"),
        ("length_penalty", "long"),
        ("early_stopping", "always"),
        ("eos_token_id", "</s>"),
        ("pad_token_id", -1.5),
    ],
)
def test_what_is_no_such_value(key, value):
    with pytest.raises(BrokenModel, match=rf"generation_config\.json: {key} is"):
        read_generation({key: value}, {})
