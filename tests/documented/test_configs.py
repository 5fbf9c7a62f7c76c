"""Config classes: the reference's signatures, defaults, aliases and files."""

import inspect

import pytest
import torch
import transformers

import llavacli_core as core
from llavacli_core.documented.configs.multimodal import CLASSES
from llavacli_core.errors import BadOption, UnsupportedModel
from llavacli_core.families.registry import family_of

pytestmark = pytest.mark.parity

NAMES = [each.__name__ for each in CLASSES]
VERSION = "transformers_version"


def same(ours, theirs) -> bool:
    """Whether two configs say the same, but for who wrote them."""
    return {**ours.to_dict(), VERSION: None} == {**theirs.to_dict(), VERSION: None}


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_the_references(name):
    assert same(getattr(core, name)(), getattr(transformers, name)())


@pytest.mark.parametrize("name", NAMES)
def test_signatures_are_the_references(name):
    ours = inspect.signature(getattr(core, name)).parameters
    theirs = inspect.signature(getattr(transformers, name)).parameters
    elsewhere = {VERSION, "dtype", "_out_features", "_out_indices"}  # taken among the keywords without a name
    for parameter in theirs.keys() - elsewhere:
        assert ours[parameter].default == theirs[parameter].default, parameter


@pytest.mark.parametrize("name", NAMES)
def test_saved_configs_are_read_by_both(name, tmp_path):
    ours = getattr(core, name)(torch_dtype="float16")
    ours.save_pretrained(tmp_path)
    theirs = getattr(transformers, name).from_pretrained(tmp_path)
    theirs._name_or_path = ours._name_or_path
    assert same(ours, theirs)
    theirs.save_pretrained(tmp_path / "theirs")
    again = core.AutoConfig.from_pretrained(tmp_path / "theirs")
    assert type(again) is type(ours)
    again._name_or_path = ours._name_or_path
    assert same(again, ours)


CHANGED = {
    "rope of 2023": ("LlamaConfig", {"rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 2.0}}),
    "rope of 2025": ("MistralConfig", {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 1e6}}),
    "no rope scaling": ("LlamaConfig", {"rope_scaling": None, "rope_theta": 1e6}),
    "grouped heads": ("LlamaConfig", {"num_attention_heads": 8, "num_key_value_heads": None, "hidden_size": 64}),
    "a window": ("Qwen2Config", {"use_sliding_window": True, "max_window_layers": 3, "num_hidden_layers": 5}),
    "aliases": ("GPT2Config", {"hidden_size": 64, "num_hidden_layers": 3}),
    "stages": ("SwinConfig", {"depths": [1, 1], "num_heads": [2, 4], "embed_dim": 16}),
    "stages by name": ("BeitConfig", {"out_features": ["stage3", "stage12"]}),
    "stages by number": ("SwinConfig", {"out_indices": [1, 4]}),
    "labels": ("ViTConfig", {"num_labels": 5}),
    "label names": ("ViTConfig", {"id2label": {"0": "cat"}, "label2id": {"cat": 0}}),
    "what nobody knows": ("BertConfig", {"position_embedding_type": "absolute", "num_beams": 4}),
    "sections": ("LlavaConfig", {"text_config": {"model_type": "qwen2", "tie_word_embeddings": True}}),
    "a tower": ("LlavaNextConfig", {"vision_config": {"model_type": "siglip_vision_model", "hidden_size": 32}}),
    "tokens": ("LlavaNextVideoConfig", {"image_token_id": 7, "video_token_id": 8, "spatial_pool_mode": "conv"}),
    "layers": ("VipLlavaConfig", {"vision_feature_layers": [-1, -2]}),
    "a decoder": ("VisionEncoderDecoderConfig", {"decoder": {"model_type": "gpt2"}, "encoder": {"model_type": "swin"}}),
}


@pytest.mark.parametrize(("name", "values"), CHANGED.values(), ids=CHANGED)
def test_keywords_mean_what_they_mean_there(name, values):
    assert same(getattr(core, name)(**values), getattr(transformers, name)(**values))


def test_the_examples_of_the_documents():
    """LLaVA's own, with its sections by position."""
    vision, text = core.CLIPVisionConfig(), core.LlamaConfig()
    config = core.LlavaConfig(vision, text)
    assert config.vision_config is vision
    assert config.text_config is text
    config.image_token_id = 5
    assert config.image_token_index == 5
    assert core.GPT2Config().hidden_size == 768


WHOLE = ["LlavaConfig", "LlavaNextConfig", "LlavaNextVideoConfig", "VipLlavaConfig", "VisionEncoderDecoderConfig"]


@pytest.mark.parametrize("name", WHOLE)
def test_the_families_read_them(name):
    """A config is what a model is built from, by the reader of config.json."""
    ours, theirs = (getattr(library, name)().to_dict() for library in (core, transformers))
    assert family_of(ours).read(ours) == family_of(theirs).read(theirs)


def test_an_encoder_and_a_decoder_together():
    ours = core.VisionEncoderDecoderConfig.from_encoder_decoder_configs(core.ViTConfig(), core.BertConfig())
    theirs = transformers.VisionEncoderDecoderConfig.from_encoder_decoder_configs(
        transformers.ViTConfig(), transformers.BertConfig()
    )
    assert same(ours, theirs)
    assert ours.decoder.add_cross_attention
    ours.decoder_start_token_id, ours.pad_token_id = 101, 0
    assert ours.to_dict()["decoder_start_token_id"] == 101


def test_the_number_format_by_either_name():
    assert core.LlamaConfig(dtype="bfloat16").dtype is torch.bfloat16
    assert core.LlamaConfig(torch_dtype=torch.float16).to_dict()["dtype"] == "float16"


def test_keywords_replace_what_a_file_says(tmp_path):
    core.LlavaConfig().save_pretrained(tmp_path)
    config, unused = core.LlavaConfig.from_pretrained(
        tmp_path, vision_feature_layer=-1, colour="red", return_unused_kwargs=True
    )
    assert config.vision_feature_layer == -1
    assert unused == {"colour": "red"}
    assert config.name_or_path == str(tmp_path)


@pytest.mark.parametrize("call", [{"args": (1, 2), "hidden_size": 3}, {"args": range(60)}])
def test_a_wrong_call(call):
    args = call.pop("args")
    with pytest.raises(TypeError):
        core.ViTConfig(*args, **call)


def test_folders_without_a_config(tmp_path):
    with pytest.raises(BadOption, match=r"config\.json"):
        core.LlavaConfig.from_pretrained(tmp_path)
    with pytest.raises(UnsupportedModel, match="model_type"):
        core.AutoConfig.from_pretrained(tmp_path)
    with pytest.raises(UnsupportedModel, match="t5"):
        core.AutoConfig.for_model("t5")


def test_generation_configs(tmp_path):
    ours = core.GenerationConfig(max_new_tokens=5, eos_token_id=[1, 2], colour="red")
    ours.save_pretrained(tmp_path)
    theirs = transformers.GenerationConfig.from_pretrained(tmp_path)
    for name, value in ours.to_dict().items():
        assert name == VERSION or getattr(theirs, name) == value, name
    theirs.save_pretrained(tmp_path)
    again = core.GenerationConfig.from_pretrained(tmp_path, num_beams=3)
    assert (again.num_beams, again.max_new_tokens, again.eos_token_id) == (3, 5, [1, 2])
    assert again.update(top_k=4, min_size=9) == {"min_size": 9}
    assert again.top_k == 4


@pytest.mark.parametrize("name", ["LlavaConfig", "VisionEncoderDecoderConfig", "GPT2Config"])
def test_what_a_config_says_of_generation(name):
    ours = core.GenerationConfig.from_model_config(getattr(core, name)())
    theirs = transformers.GenerationConfig.from_model_config(getattr(transformers, name)())
    for field in ("bos_token_id", "eos_token_id", "pad_token_id", "use_cache", "decoder_start_token_id", "num_beams"):
        assert getattr(ours, field) == getattr(theirs, field), field


@pytest.mark.parametrize("given", [{}, {"load_in_4bit": True, "bnb_4bit_compute_dtype": torch.bfloat16}])
def test_quantization_is_written_as_the_reference_does(given):
    expected = transformers.BitsAndBytesConfig(**given).to_dict()
    ours = core.BitsAndBytesConfig(**given).to_dict()
    assert ours == {name: value for name, value in expected.items() if not name.startswith("_")}
