"""Parts of models on the Hub: an image processor or a tokenizer alone, of a family that is no captioner."""

import json

import pytest

from tests.hub.fake_hub import serving
from tests.hub.test_hub import ask


@pytest.fixture
def encoder(tmp_path):
    folder = tmp_path / "encoder"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "vit", "hidden_size": 32}')
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"image_processor_type": "ViTImageProcessor", "size": 30})
    )
    return folder


def test_an_encoder_alone(encoder, tmp_path):
    code = """
size = core.ViTImageProcessor.from_pretrained("org/encoder").size
answer["size"], answer["width"] = size, core.AutoConfig.from_pretrained("org/encoder").hidden_size
"""
    expected = {"size": {"height": 30, "width": 30}, "width": 32}
    with serving(encoder, "org/encoder") as hub:
        assert ask(code, tmp_path / "cache", hub.url) == expected
    assert ask(code, tmp_path / "cache", HF_HUB_OFFLINE="1") == expected


def test_offline_and_not_in_the_cache(tmp_path):
    code = 'answer["said"] = failing(lambda: core.ViTConfig.from_pretrained("org/encoder"))'
    answer = ask(code, tmp_path / "cache", HF_HUB_OFFLINE="1")
    assert answer["said"][0] == "Unreachable"
