"""Captioners' encoders equal the reference's, from their files on: config read, weights loaded, pictures encoded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, GPT2Config, VisionEncoderDecoderConfig, VisionEncoderDecoderModel

from llavacli_core.checkpoint.load import fill
from llavacli_core.checkpoint.stored import stored_tensors
from llavacli_core.checkpoint.weights import make_plan
from llavacli_core.families.encoders import read_encoder
from llavacli_core.families.keys import Keys
from llavacli_core.families.names import ENCODERS
from llavacli_core.families.names.table import under
from llavacli_core.nn.encoders import Encoder, build_encoder
from llavacli_core.nn.swin import Swin
from llavacli_core.nn.trace import Trace

pytestmark = pytest.mark.parity

SMALL = {
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "image_size": 32,
    "patch_size": 8,
}
BEIT = {"model_type": "beit"} | SMALL
SWIN = {
    "model_type": "swin",
    "image_size": 32,
    "patch_size": 4,
    "embed_dim": 12,
    "depths": [2, 2],
    "num_heads": [2, 3],
    "window_size": 4,
}
CONFIGS: dict[str, dict[str, Any]] = {
    "vit": {"model_type": "vit"} | SMALL,
    "vit, no bias, wide eps": {"model_type": "vit"} | SMALL | {"qkv_bias": False, "layer_norm_eps": 0.1},
    "vit, oblong": {"model_type": "vit"} | SMALL | {"image_size": [24, 40], "patch_size": [8, 4], "hidden_act": "relu"},
    "vit, a rest at the edge": {"model_type": "vit"} | SMALL | {"image_size": 37},
    "deit": {"model_type": "deit"} | SMALL,
    "deit, no bias": {"model_type": "deit"} | SMALL | {"qkv_bias": False, "hidden_act": "gelu_pytorch_tanh"},
    "beit": BEIT,
    "beit, biased in each layer": BEIT | {"use_relative_position_bias": True},
    "beit, biased alike": BEIT | {"use_shared_relative_position_bias": True, "use_mean_pooling": False},
    "beit, every kind of position": BEIT
    | {
        "use_relative_position_bias": True,
        "use_shared_relative_position_bias": True,
        "use_absolute_position_embeddings": True,
        "use_mask_token": True,
    },
    "beit, layers not scaled": BEIT | {"layer_scale_init_value": 0.0, "use_absolute_position_embeddings": True},
    "swin": SWIN,
    "swin, three stages": SWIN | {"image_size": 64, "depths": [1, 3, 2], "num_heads": [1, 2, 4], "mlp_ratio": 2.5},
    "swin, positions, no bias": SWIN | {"use_absolute_embeddings": True, "qkv_bias": False, "layer_norm_eps": 0.1},
    "swin, windows beyond the edge": SWIN | {"image_size": 36},
    "swin, patches beyond the edge": SWIN | {"image_size": 61, "window_size": 5},
    "swin, oblong": SWIN | {"image_size": [40, 90], "window_size": 3, "hidden_act": "relu"},
    "swin, oblong patches": SWIN | {"image_size": [32, 64], "patch_size": [4, 8], "use_absolute_embeddings": True},
}


def reference(config: dict[str, Any]) -> nn.Module:
    """A random network: no weight keeps the value that its initialisation would give it."""
    torch.manual_seed(0)
    values = {name: value for name, value in config.items() if name != "model_type"}
    made = AutoModel.from_config(AutoConfig.for_model(config["model_type"], **values), attn_implementation="eager")
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            parameter.normal_(std=0.5 if "table" in name else 0.2)
            if "norm" in name and name.endswith("weight"):
                parameter.add_(1)
    return made.eval()


def loaded(folder: Path, config: dict[str, Any], prefix: str = "", kernel: str = "sdpa") -> Encoder:
    """Our network, from those of a folder's weights whose names begin with `prefix`."""
    with torch.device("meta"):
        network = build_encoder(read_encoder(Keys(config, "config.json: encoder")), kernel)
    tensors = [tensor for tensor in stored_tensors(folder) if tensor.name.startswith(prefix)]
    plan = make_plan(network, tensors, under((prefix,), "", ENCODERS[config["model_type"]]))
    fill(network, plan, lambda _: torch.device("cpu"), torch.float32)
    return network.eval()


def pictures(config: dict[str, Any], count: int = 2) -> Tensor:
    size = config["image_size"]
    height, width = size if isinstance(size, list) else (size, size)
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(1))


def close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@torch.no_grad()
def test_states_and_attentions(config, tmp_path):
    made, pixels = reference(config), pictures(config)
    made.save_pretrained(tmp_path)
    stated = json.loads((tmp_path / "config.json").read_text())
    ours = loaded(tmp_path, stated)
    theirs = made(pixels, output_hidden_states=True, output_attentions=True)
    close(ours(pixels), theirs.last_hidden_state)
    trace = Trace()
    close(ours(pixels, trace), theirs.last_hidden_state)
    for kept, expected in ((trace.hidden_states, theirs.hidden_states), (trace.attentions, theirs.attentions)):
        assert len(kept) == len(expected)
        for one, other in zip(kept, expected, strict=True):
            close(one, other)
    assert ours.config.hidden_size == made.config.hidden_size == theirs.last_hidden_state.shape[2]
    assert ours.config.num_positions == theirs.last_hidden_state.shape[1]


@pytest.mark.parametrize("name", ["vit", "deit", "beit, every kind of position", "swin"])
@torch.no_grad()
def test_as_a_captioners_part(name, tmp_path):
    """As VisionEncoderDecoderModel writes it, and as it calls its weights in memory."""
    config = CONFIGS[name]
    made = reference(config)
    decoder = GPT2Config(n_embd=8, n_layer=1, n_head=1, vocab_size=9, n_positions=4)
    both = VisionEncoderDecoderModel(VisionEncoderDecoderConfig.from_encoder_decoder_configs(made.config, decoder))
    both.eval().encoder.load_state_dict(made.state_dict())
    both.save_pretrained(tmp_path / "written")
    (tmp_path / "memory").mkdir()
    names = {f"encoder.{key}": value for key, value in both.encoder.state_dict().items()}
    save_file(names, tmp_path / "memory" / "model.safetensors")
    pixels = pictures(config)
    expected = both.encoder(pixels).last_hidden_state
    for folder in ("written", "memory"):
        close(loaded(tmp_path / folder, config, "encoder.")(pixels), expected)


@torch.no_grad()
def test_buffers_of_older_files_are_known(tmp_path):
    config = BEIT | {"use_relative_position_bias": True}
    made = reference(config)
    made.save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    index = torch.zeros(17, 17, dtype=torch.int64)
    layers = {
        f"encoder.layer.{layer}.attention.attention.relative_position_bias.relative_position_index": index.clone()
        for layer in range(3)
    }
    save_file(layers | load_file(file), file)
    pixels = pictures(config)
    close(loaded(tmp_path, config)(pixels), made(pixels).last_hidden_state)


@torch.no_grad()
def test_a_swin_takes_pictures_of_other_sizes(tmp_path):
    made = reference(SWIN)
    made.save_pretrained(tmp_path)
    ours = loaded(tmp_path, SWIN)
    for height, width in ((40, 52), (33, 71), (64, 32)):
        pixels = torch.randn(1, 3, height, width)
        close(ours(pixels), made(pixels).last_hidden_state)


@torch.no_grad()
def test_a_window_larger_than_the_picture_shrinks():
    """The reference's table is then of another size than its windows; ours keeps the rows of the distances left."""
    torch.manual_seed(0)
    wide, narrow = (
        Swin(read_encoder(Keys(SWIN | {"window_size": window, "depths": [1], "num_heads": [2]}, "")))
        for window in (11, 8)
    )
    for parameter in wide.parameters():
        nn.init.normal_(parameter, std=0.3)
    values = wide.state_dict()
    table = "stages.0.blocks.0.relative.table"
    values[table] = values[table].view(21, 21, 2)[3:-3, 3:-3].reshape(15 * 15, 2)
    narrow.load_state_dict(values)
    pixels = torch.randn(2, 3, 32, 32)
    close(wide(pixels), narrow(pixels))


@pytest.mark.parametrize("name", ["deit", "beit, every kind of position", "swin, windows beyond the edge"])
@torch.no_grad()
def test_kernels_agree(name, tmp_path):
    config = CONFIGS[name]
    reference(config).save_pretrained(tmp_path)
    fused, eager = (loaded(tmp_path, config, kernel=kernel) for kernel in ("sdpa", "eager"))
    close(fused(pictures(config)), eager(pictures(config)))


def test_an_encoder_is_differentiable(tmp_path):
    for name in ("beit, every kind of position", "swin"):
        config = CONFIGS[name]
        reference(config).save_pretrained(tmp_path / name)
        ours = loaded(tmp_path / name, config).requires_grad_()
        ours(pictures(config)).square().sum().backward()
        assert all(parameter.grad is not None for parameter in ours.parameters())


def test_a_picture_of_another_size_is_refused(tmp_path):
    reference(CONFIGS["vit"]).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"\(24, 32\) pixels for a network of \(32, 32\)"):
        loaded(tmp_path, CONFIGS["vit"])(torch.zeros(1, 3, 24, 32))
