"""An encoder's config, with the subsets of keys that published files have: every value as transformers settles it."""

from __future__ import annotations

from typing import Any

import pytest

from llavacli_core.config import SwinConfig
from llavacli_core.errors import BrokenModel, UnsupportedModel
from llavacli_core.families.encoders import read_encoder
from llavacli_core.families.keys import Keys

VALUES = ("hidden_size", "num_channels", "hidden_act", "layer_norm_eps")
OF_VIT = ("intermediate_size", "num_hidden_layers", "num_attention_heads")
OF_SWIN = ("embed_dim", "window_size", "mlp_ratio", "qkv_bias")

CONFIGS: dict[str, dict[str, Any]] = {
    **{f"{name}, all by default": {"model_type": name} for name in ("vit", "deit", "beit", "swin")},
    "trocr-base": {"model_type": "vit", "image_size": 384, "layer_norm_eps": 1e-12, "qkv_bias": False},
    "trocr-small": {
        "model_type": "deit",
        "hidden_size": 384,
        "image_size": 384,
        "intermediate_size": 1536,
        "num_attention_heads": 6,
        "qkv_bias": True,
    },
    "beit-large": {
        "model_type": "beit",
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "use_relative_position_bias": True,
        "use_absolute_position_embeddings": False,
        "use_mean_pooling": False,
    },
    "swin-base-384": {
        "model_type": "swin",
        "image_size": 384,
        "embed_dim": 128,
        "depths": [2, 2, 18, 2],
        "num_heads": [4, 8, 16, 32],
        "window_size": 12,
    },
    "vit, oblong": {"model_type": "vit", "image_size": [64, 96], "patch_size": [16, 8]},
    "nulls": {"model_type": "vit", "image_size": None, "qkv_bias": None},
}


def pair(value: Any) -> tuple[int, int]:
    return tuple(value) if isinstance(value, list | tuple) else (value, value)


@pytest.mark.parity
@pytest.mark.parametrize("values", CONFIGS.values(), ids=CONFIGS)
def test_settled_as_the_reference_settles_it(values):
    from transformers import AutoConfig

    kind = values["model_type"]
    stated = {key: value for key, value in values.items() if key != "model_type" and value is not None}
    ours, theirs = read_encoder(Keys(values, "config.json: encoder")), AutoConfig.for_model(kind, **stated)
    names = VALUES + (OF_SWIN if kind == "swin" else OF_VIT)
    assert [getattr(ours, name) for name in names] == [getattr(theirs, name) for name in names]
    assert (ours.image_size, ours.patch_size) == (pair(theirs.image_size), pair(theirs.patch_size))
    if isinstance(ours, SwinConfig):
        assert (ours.depths, ours.num_heads) == (tuple(theirs.depths), tuple(theirs.num_heads))
        assert ours.position_embeddings == theirs.use_absolute_embeddings
        return
    assert ours.qkv_bias == getattr(theirs, "qkv_bias", True)
    assert ours.key_bias == (kind != "beit")
    assert ours.distillation_token == (kind == "deit")
    assert ours.position_embeddings == getattr(theirs, "use_absolute_position_embeddings", True)
    assert ours.relative_position_bias == getattr(theirs, "use_relative_position_bias", False)
    assert ours.shared_relative_position_bias == getattr(theirs, "use_shared_relative_position_bias", False)
    assert ours.final_layernorm != getattr(theirs, "use_mean_pooling", False)
    assert ours.layer_scale == (getattr(theirs, "layer_scale_init_value", 0) > 0)


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("vit", "hidden_size", 770),
        ("vit", "num_hidden_layers", 100_000),
        ("vit", "image_size", [224, 224, 3]),
        ("vit", "image_size", []),
        ("vit", "image_size", 0),
        ("vit", "image_size", 15),
        ("deit", "patch_size", "16"),
        ("beit", "use_relative_position_bias", "yes"),
        ("beit", "layer_scale_init_value", "some"),
        ("swin", "depths", []),
        ("swin", "depths", [2, 0, 6, 2]),
        ("swin", "depths", [2, 2, 100_000, 2]),
        ("swin", "num_heads", [3, 6, 12]),
        ("swin", "num_heads", [3, 7, 12, 24]),
        ("swin", "window_size", 0),
        ("swin", "mlp_ratio", -4),
    ],
)
def test_a_value_out_of_place(kind, key, value):
    with pytest.raises(BrokenModel, match=r"config\.json: encoder: "):
        read_encoder(Keys({"model_type": kind, key: value}, "config.json: encoder"))


def test_what_is_not_supported():
    with pytest.raises(UnsupportedModel, match="'donut-swin' is not supported") as caught:
        read_encoder(Keys({"model_type": "donut-swin"}, "config.json: encoder"))
    assert caught.value.hint == "known encoders: vit, deit, beit, swin"
    with pytest.raises(UnsupportedModel, match="not square"):
        read_encoder(Keys({"model_type": "beit", "image_size": [224, 448]}, "config.json: encoder"))
    for kind in ("vit", "swin"):
        with pytest.raises(UnsupportedModel, match="pictures of 1 channels"):
            read_encoder(Keys({"model_type": kind, "num_channels": 1}, "config.json: encoder"))


def test_positions_are_counted():
    kinds = ("vit", "deit", "beit", "swin")
    counts = {kind: read_encoder(Keys({"model_type": kind, "image_size": 230}, "")).num_positions for kind in kinds}
    assert counts == {"vit": 197, "deit": 198, "beit": 197, "swin": 64}
