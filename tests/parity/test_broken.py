"""Checkpoints that are damaged, incomplete or of another kind: refused by name, before the network is allocated."""

import json
import struct

import pytest
import torch

import llavacli_core as core
from llavacli_core.errors import BrokenModel, MisshapenWeight, MissingWeight, UnknownWeight, UnsupportedModel
from tests.reference import rewriting

BASE = "next-mistral"
GATE = "language_model.model.layers.1.mlp.gate_proj.weight"


@pytest.fixture
def folder(checkpoint, tmp_path):
    return rewriting.copied(checkpoint(BASE), tmp_path / "checkpoint")


@pytest.fixture(autouse=True)
def no_allocation(monkeypatch):
    """What is refused is refused before memory is taken for it: the network is not filled."""

    def refused(*_):
        raise AssertionError("weights were placed before the checkpoint had been checked")

    monkeypatch.setattr("llavacli_core.checkpoint.load.fill", refused)


def refusal(folder, kind):
    """The message with which `folder` is refused."""
    with pytest.raises(kind) as caught:
        core.load(str(folder), device="cpu", dtype="float32")
    assert type(caught.value) is kind
    message = str(caught.value)
    assert "\n" not in message
    return message, caught.value.hint or ""


def with_tensors(folder, change):
    tensors = rewriting.weights(folder)
    change(tensors)
    rewriting.resave(folder, tensors)


@pytest.mark.parametrize(
    "name",
    [
        GATE,
        "language_model.model.embed_tokens.weight",
        "image_newline",
        "multi_modal_projector.linear_2.bias",
        "vision_tower.embeddings.class_embedding",
        "vision_tower.encoder.layers.1.self_attn.k_proj.bias",
    ],
)
def test_a_missing_tensor(name, folder):
    with_tensors(folder, lambda tensors: tensors.pop(name))
    message, _ = refusal(folder, MissingWeight)
    assert rewriting.hub_layout(name) in message


def test_several_missing_tensors_are_counted(folder):
    with_tensors(folder, lambda tensors: [tensors.pop(GATE.replace(".1.", f".{layer}.")) for layer in range(3)])
    message, _ = refusal(folder, MissingWeight)
    assert "2 more" in message


@pytest.mark.parametrize(
    ("name", "shape"),
    [(GATE, (96, 63)), ("image_newline", (32,)), ("language_model.model.norm.weight", (1, 64))],
)
def test_a_misshapen_tensor(name, shape, folder):
    with_tensors(folder, lambda tensors: tensors.update({name: torch.zeros(shape)}))
    message, _ = refusal(folder, MisshapenWeight)
    assert name in message
    assert "model.safetensors" in message
    assert str(list(shape)) in message


@pytest.mark.parametrize(
    "name",
    [
        "language_model.model.layers.3.mlp.gate_proj.weight",
        "language_model.model.layers.0.self_attn.q_proj.bias",
        "language_model.model.layers.0.mlp.experts.weight",
        "qformer.query_tokens",
    ],
)
def test_a_tensor_that_belongs_nowhere(name, folder):
    with_tensors(folder, lambda tensors: tensors.update({name: torch.zeros(4)}))
    message, _ = refusal(folder, UnknownWeight)
    assert name in message
    assert "model.safetensors" in message


@pytest.mark.parametrize("keep", [0, 4, 1000, 0.5, 0.999])
def test_a_truncated_file(keep, folder):
    file = folder / "model.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[: keep if isinstance(keep, int) else int(len(content) * keep)])
    message, _ = refusal(folder, BrokenModel)
    assert "model.safetensors" in message


def test_a_header_that_promises_too_much(folder):
    file = folder / "model.safetensors"
    file.write_bytes(struct.pack("<Q", 2**60) + file.read_bytes()[8:])
    message, _ = refusal(folder, BrokenModel)
    assert "model.safetensors" in message


@pytest.mark.parametrize("kind", [torch.int8, torch.float64, torch.complex64])
def test_a_number_format_that_is_none_of_ours(kind, folder):
    with_tensors(folder, lambda tensors: tensors.update({GATE: tensors[GATE].to(kind)}))
    message, _ = refusal(folder, UnsupportedModel)
    assert GATE in message


def test_no_weights(folder):
    (folder / "model.safetensors").unlink()
    message, _ = refusal(folder, BrokenModel)
    assert "model.safetensors" in message


def test_a_shard_that_is_not_there(folder):
    rewriting.sharded(folder)
    (folder / "model-00002-of-00003.safetensors").unlink()
    message, _ = refusal(folder, BrokenModel)
    assert "model-00002-of-00003.safetensors" in message


def test_an_index_that_is_wrong_about_a_shard(folder):
    rewriting.sharded(folder)
    with_index(
        folder, lambda weights: weights.update({"language_model.model.layers.0.new": next(iter(weights.values()))})
    )
    message, _ = refusal(folder, MissingWeight)
    assert "language_model.model.layers.0.new" in message


@pytest.mark.parametrize(
    "shard", ["../other.safetensors", "/etc/other.safetensors", "a/../../other.safetensors", "..\\other.safetensors"]
)
def test_shards_stay_in_the_folder(shard, folder):
    rewriting.sharded(folder)
    (folder.parent / "other.safetensors").write_bytes((folder / "model-00001-of-00003.safetensors").read_bytes())
    with_index(folder, lambda weights: weights.update(dict.fromkeys(list(weights)[::3], shard)))
    message, _ = refusal(folder, BrokenModel)
    assert "outside the folder" in message


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {}}'])
def test_an_index_that_is_none(content, folder):
    rewriting.sharded(folder)
    (folder / "model.safetensors.index.json").write_text(content)
    with pytest.raises(BrokenModel):
        core.load(str(folder), device="cpu")


def with_index(folder, change):
    rewriting.edited(folder, "model.safetensors.index.json", lambda index: change(index["weight_map"]))


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "\ufeff", "\x00" * 9, '{"model_type": "llava_next"'])
def test_a_config_that_is_no_json_object(content, folder):
    (folder / "config.json").write_text(content)
    message, _ = refusal(folder, BrokenModel)
    assert "config.json" in message


@pytest.mark.parametrize("name", ["processor_config.json", "generation_config.json"])
def test_another_file_that_is_no_json(name, folder):
    (folder / name).write_text("{,}")
    message, _ = refusal(folder, BrokenModel)
    assert name in message


@pytest.mark.parametrize("model_type", ["llama", "qwen2_vl", "Llava", None, 7])
def test_an_unknown_family_lists_the_known_ones(model_type, folder):
    rewriting.edited(folder, "config.json", lambda values: values.update(model_type=model_type))
    message, hint = refusal(folder, UnsupportedModel)
    assert str(model_type) in message or model_type is None
    assert "llava, llava_next" in hint


@pytest.mark.parametrize(
    ("part", "model_type", "known"),
    [("text_config", "gemma2", "llama, mistral, qwen2"), ("vision_config", "dinov2", "clip_vision_model")],
)
def test_an_unknown_part_lists_the_known_ones(part, model_type, known, folder):
    rewriting.edited(folder, "config.json", lambda values: values[part].update(model_type=model_type))
    message, hint = refusal(folder, UnsupportedModel)
    assert model_type in message
    assert known in hint


@pytest.mark.parametrize("kind", ["dynamic", "longrope"])
def test_other_rope_scaling_is_refused(kind, folder):
    rewriting.edited(
        folder,
        "config.json",
        lambda values: values["text_config"]["rope_parameters"].update(rope_type=kind, factor=8.0),
    )
    message, _ = refusal(folder, UnsupportedModel)
    assert kind in message


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        (None, "vision_feature_layer", 9),
        (None, "vision_feature_layer", "last"),
        (None, "vision_feature_select_strategy", "some"),
        (None, "image_grid_pinpoints", [[336]]),
        (None, "image_grid_pinpoints", []),
        (None, "image_token_index", -1),
        ("text_config", "hidden_size", "64"),
        ("text_config", "num_hidden_layers", 0),
        ("text_config", "rms_norm_eps", -1e-5),
        ("text_config", "num_attention_heads", 4.5),
        ("vision_config", "image_size", [56, 56]),
        ("vision_config", "patch_size", True),
    ],
)
def test_a_value_out_of_place(part, key, value, folder):
    def change(values):
        (values if part is None else values[part])[key] = value

    rewriting.edited(folder, "config.json", change)
    message, _ = refusal(folder, BrokenModel)
    assert key in message or key.replace("index", "id") in message


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("text_config", "num_attention_heads", 3),
        ("text_config", "num_key_value_heads", 3),
        ("text_config", "head_dim", 23),
        ("vision_config", "num_attention_heads", 5),
        ("vision_config", "image_size", 10),
        (None, "image_token_index", 100000),
    ],
)
def test_values_that_contradict_each_other(part, key, value, folder):
    def change(values):
        (values if part is None else values[part])[key] = value

    rewriting.edited(folder, "config.json", change)
    with pytest.raises(BrokenModel):
        core.load(str(folder), device="cpu")


def test_no_tokenizer(folder):
    (folder / "tokenizer.json").unlink()
    message, _ = refusal(folder, BrokenModel)
    assert "tokenizer.json" in message


def test_no_processor(folder):
    (folder / "processor_config.json").unlink()
    message, _ = refusal(folder, BrokenModel)
    assert "preprocessor_config.json" in message


def test_sizes_whose_product_is_no_number_are_refused(folder):
    rewriting.edited(folder, "config.json", lambda values: values["text_config"].update(hidden_size=2**40))
    with pytest.raises(BrokenModel, match="beyond all bounds"):
        core.load(str(folder), device="cpu")


def test_huge_sizes_are_refused_by_the_weights(folder):
    """A config that asks for terabytes beside a small file takes no memory."""

    def change(values):
        values["text_config"].update(vocab_size=2**31, intermediate_size=2**31, max_position_embeddings=2**40)

    rewriting.edited(folder, "config.json", change)
    refusal(folder, MisshapenWeight)


def test_a_header_whose_offsets_are_wrong(folder):

    file = folder / "model.safetensors"
    content = file.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header[GATE]["data_offsets"] = [0, header[GATE]["data_offsets"][1]]
    encoded = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(encoded)) + encoded + content[8 + length :])
    refusal(folder, BrokenModel)
