"""A captioner's files in the forms that they have had: old weight names, buffers, what is missing or misshapen."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from llavacli_core.checkpoint.files import CaptionerDescription, describe
from llavacli_core.checkpoint.load import load_network, load_weights
from llavacli_core.errors import BrokenModel, MisshapenWeight, MissingWeight, UnknownWeight
from llavacli_core.families.registry import family_of
from llavacli_core.options import Placement
from tests.reference import captioners

CPU = Placement(device="cpu", dtype="float32")
WEIGHTS = "model.safetensors"
GPT2, BERT, TROCR = "vit+gpt2", "swin+bert", "vit-plain+trocr-sinusoidal"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The folder of a pair, by its name."""
    folders = {}

    def folder_of(name):
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp("captioner")
            captioners.write(captioners.BY_NAME[name], folders[name])
        return folders[name]

    return folder_of


def load(folder, tensors=None):
    """The weights that our network has after loading; `tensors` instead of the file's own."""
    if tensors is not None:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / WEIGHTS)
    config = json.loads((folder / "config.json").read_text())
    family = family_of(config)
    return load_weights(folder, family.read(config), family.names(config), CPU).state_dict()


@pytest.fixture
def rewritten(saved, tmp_path):
    """Loads a pair's weights, changed by a function, and its own: both as our network has them."""

    def run(name, change):
        folder = saved(name)
        tensors = load_file(folder / WEIGHTS)
        (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
        return load(tmp_path, change(tensors)), load(folder)

    return run


def without(tensors, *names):
    return {name: tensor for name, tensor in tensors.items() if name not in names}


def test_buffers_of_old_files(rewritten):
    buffers = {
        "decoder.transformer.h.1.attn.bias": torch.ones(1, 1, 40, 40, dtype=torch.uint8),
        "decoder.transformer.h.1.crossattention.bias": torch.ones(1, 1, 40, 40, dtype=torch.bool),
        "decoder.transformer.h.1.attn.masked_bias": torch.tensor(-1e4),
    }
    assert_close(*rewritten(GPT2, lambda tensors: tensors | buffers), rtol=0, atol=0)
    places = {"decoder.model.decoder.embed_positions._float_tensor": torch.zeros(1)}
    assert_close(*rewritten(TROCR, lambda tensors: tensors | places), rtol=0, atol=0)
    rest = {
        "decoder.bert.embeddings.position_ids": torch.arange(40)[None],
        "decoder.bert.pooler.dense.weight": torch.zeros(40, 40),
        "decoder.bert.pooler.dense.bias": torch.zeros(40),
    }
    assert_close(*rewritten(BERT, lambda tensors: tensors | rest), rtol=0, atol=0)


def test_norms_called_gamma_and_beta(rewritten):
    def old(name):
        return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")

    ours, theirs = rewritten(BERT, lambda tensors: {old(name): tensor for name, tensor in tensors.items()})
    assert_close(ours, theirs, rtol=0, atol=0)


@pytest.mark.parametrize("first", [True, False])
def test_the_bias_of_the_words_under_its_second_name_counts(rewritten, first):
    bias = torch.randn(captioners.VOCABULARY)

    def both(tensors):
        name = "decoder.cls.predictions.bias"
        rest = without(tensors, name)
        return rest | {"decoder.cls.predictions.decoder.bias": bias} | ({name: tensors[name]} if first else {})

    ours, _ = rewritten(BERT, both)
    assert_close(ours["decoder.transform.bias"], bias)


def test_a_head_that_is_tied_may_be_stored_all_the_same(rewritten):
    words = "decoder.transformer.wte.weight"
    ours, theirs = rewritten(GPT2, lambda tensors: tensors | {"decoder.lm_head.weight": tensors[words].clone()})
    assert_close(ours, theirs, rtol=0, atol=0)


def test_a_head_that_is_not_stored_is_tied(rewritten):
    ours, theirs = rewritten(TROCR, lambda tensors: without(tensors, "decoder.output_projection.weight"))
    assert "decoder.head.weight" in theirs
    assert "decoder.head.weight" not in ours


@pytest.mark.parametrize(
    ("pair", "missing"),
    [
        (GPT2, "decoder.transformer.h.2.attn.c_attn.weight"),
        (GPT2, "decoder.transformer.h.0.crossattention.c_attn.bias"),
        (GPT2, "enc_to_dec_proj.weight"),
        (TROCR, "decoder.model.decoder.layers.1.encoder_attn.v_proj.weight"),
        (BERT, "decoder.bert.encoder.layer.0.crossattention.self.query.weight"),
        (BERT, "decoder.cls.predictions.transform.dense.bias"),
    ],
)
def test_a_missing_weight_is_named_as_the_file_would(rewritten, pair, missing):
    with pytest.raises(MissingWeight, match=f"^no file holds {missing}"):
        rewritten(pair, lambda tensors: without(tensors, missing))


def test_a_misshapen_weight(rewritten):
    name = "decoder.transformer.h.0.attn.c_attn.weight"
    with pytest.raises(MisshapenWeight, match=r"is \[120, 40\], config.json says \[40, 120\]"):
        rewritten(GPT2, lambda tensors: tensors | {name: tensors[name].T})


def test_a_stranger(rewritten):
    with pytest.raises(UnknownWeight, match=r"decoder\.bert\.embeddings"):
        rewritten(GPT2, lambda tensors: tensors | {"decoder.bert.embeddings.word_embeddings.weight": torch.zeros(1)})


PREPROCESSOR = {"feature_extractor_type": "ViTFeatureExtractor", "size": captioners.SIDE, "resample": 2}


def test_the_small_files(saved):
    folder = saved(GPT2)
    with pytest.raises(BrokenModel, match=r"no preprocessor_config\.json"):
        describe(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR))
    generation = {"eos_token_id": [3, 4], "max_length": 18, "decoder_start_token_id": 2}
    (folder / "generation_config.json").write_text(json.dumps(generation))
    description = describe(folder)
    assert isinstance(description, CaptionerDescription)
    assert (description.images.size, description.images.resample) == ((captioners.SIDE, captioners.SIDE), 2)
    assert description.stop_ids == description.generation.eos_token_ids == (3, 4)
    assert description.generation.max_length == 18
    assert load_network(folder, description, CPU).config == description.model


def test_stop_ids_that_no_generation_config_names(saved):
    folder = saved(TROCR)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR))
    (folder / "generation_config.json").write_text(json.dumps({"max_length": 9}))
    description = describe(folder)
    assert description.stop_ids == description.generation.eos_token_ids == (captioners.END,)
