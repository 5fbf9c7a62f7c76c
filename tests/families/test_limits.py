"""Checkpoint files that ask for what no computer has, or for a division by zero, are refused when they are read."""

import json
import shutil
from pathlib import Path

import pytest

import llavacli_core as core

DEMO = Path(core.__file__).parent / "demo_checkpoint"


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(DEMO, tmp_path / "checkpoint"))


def changed(folder: Path, name: str, *keys: str, value: object) -> Path:
    """The folder with one value of a JSON file replaced."""
    whole = section = json.loads((folder / name).read_text())
    for key in keys[:-1]:
        section = section[key]
    section[keys[-1]] = value
    (folder / name).write_text(json.dumps(whole))
    return folder


@pytest.mark.parametrize(
    ("name", "keys", "value"),
    [
        ("preprocessor_config.json", ("image_grid_pinpoints",), [[10_000_000, 10_000_000]]),
        ("preprocessor_config.json", ("image_grid_pinpoints",), [[64, 0]]),
        ("preprocessor_config.json", ("resample",), 77),
        ("preprocessor_config.json", ("image_std",), [0.5, 0, 0.5]),
        ("preprocessor_config.json", ("image_mean",), [0.5, float("nan"), 0.5]),
        ("preprocessor_config.json", ("rescale_factor",), 10**400),
        ("preprocessor_config.json", ("size",), 100_000),
        ("preprocessor_config.json", ("crop_size",), {"height": 100_000, "width": 64}),
        ("config.json", ("image_grid_pinpoints",), [[64_000, 64_000]]),
        ("config.json", ("text_config", "num_hidden_layers"), 100_000),
        ("config.json", ("vision_config", "num_hidden_layers"), 100_000),
        ("config.json", ("vision_config", "patch_size"), 65),
        ("config.json", ("text_config", "max_position_embeddings"), 10**400),
        ("config.json", ("text_config", "rms_norm_eps"), float("inf")),
    ],
)
def test_values_beyond_reason(folder, name, keys, value):
    with pytest.raises(core.errors.BrokenModel, match=f"{name}.*{keys[-1]}"):
        core.load_processor(str(changed(folder, name, *keys, value=value)))


@pytest.mark.parametrize("name", ["tokenizer_config.json", "chat_template.jinja"])
def test_a_file_that_is_a_folder(folder, name):
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises(core.errors.BrokenModel, match=f"{name}: not a regular file"):
        core.load_processor(str(folder))


@pytest.mark.parametrize("template", ["/dev/zero", "/"])
def test_a_template_that_would_never_end(folder, template):
    with pytest.raises(core.errors.BrokenModel, match="not a regular file"):
        core.load_processor(str(folder), template=template)


@pytest.mark.parametrize("kind", [["llama"], {"llama": 1}, 3])
def test_a_decoder_of_no_name(folder, kind):
    with pytest.raises(core.errors.UnsupportedModel, match="decoder"):
        core.load_processor(str(changed(folder, "config.json", "text_config", "model_type", value=kind)))


@pytest.mark.parametrize(("name", "pad"), [("pad_token_id", None), ("bos_token_id", 0)])
def test_an_id_of_minus_one_is_none(folder, name, pad):
    """As early conversions of Llama have it, and whatever transformers saved of these."""
    for file, keys in (("config.json", ("text_config", name)), ("generation_config.json", (name,))):
        changed(folder, file, *keys, value=-1)
    assert core.load_processor(str(folder)).description.generation.pad_token_id == pad
