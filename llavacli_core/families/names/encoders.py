"""Weight names of the encoders that captioners have: ViT, DeiT, BEiT, Swin.

Two generations of names are known, in any mix: those on the Hub, which transformers still writes, and those of its
modules in memory since version 5. Poolers and mask tokens are known and not kept, and so are the tables of indices that
older files hold.
"""

from __future__ import annotations

from llavacli_core.families.names.table import Table, Target, affine, under

PATCHES: Table = {
    "embeddings.patch_embeddings.projection.weight": Target("patch_weight"),
    "embeddings.patch_embeddings.projection.bias": Target("patch_bias"),
    "embeddings.position_embeddings": Target("positions", squeezed=True),
    "embeddings.mask_token": None,  # for training
}

# What follows attention is called alike in all four.
LAYER: Table = {
    **affine("layernorm_before", "attention_norm"),
    **affine("attention.output.dense", "attention.out"),
    **affine("attention.o_proj", "attention.out"),
    **affine("layernorm_after", "mlp_norm"),
    **affine("intermediate.dense", "up"),
    **affine("mlp.fc1", "up"),
    **affine("output.dense", "down"),
    **affine("mlp.fc2", "down"),
}


def _queries(prefix: str) -> Table:
    """Queries, keys and values, under `prefix` on the Hub."""
    return {
        **affine(f"{prefix}.query", "attention.qkv", 0),
        **affine(f"{prefix}.key", "attention.qkv", 1),
        **affine(f"{prefix}.value", "attention.qkv", 2),
        **affine("attention.q_proj", "attention.qkv", 0),
        **affine("attention.k_proj", "attention.qkv", 1),
        **affine("attention.v_proj", "attention.qkv", 2),
    }


def _distances(prefix: str, ours: str) -> Table:
    """The bias by distance, and the index into it that is computed."""
    return {
        f"{prefix}relative_position_bias_table": Target(f"{ours}.table"),
        f"{prefix}relative_position_index": None,
    }


VIT: Table = {
    **PATCHES,
    "embeddings.cls_token": Target("class_embedding", squeezed=True),
    **under(("encoder.layer.{}.", "layers.{}."), "blocks.{}.", LAYER | _queries("attention.attention")),
    **affine("layernorm", "final_norm"),
    "pooler.dense.weight": None,
    "pooler.dense.bias": None,
}

DEIT: Table = VIT | {"embeddings.distillation_token": Target("distillation_embedding", squeezed=True)}

BEIT_LAYER: Table = {
    "lambda_1": Target("attention_scale"),
    "lambda_2": Target("mlp_scale"),
    "attention.attention.query.bias": Target("attention.query_bias"),
    "attention.attention.value.bias": Target("attention.value_bias"),
    "attention.q_proj.bias": Target("attention.query_bias"),
    "attention.v_proj.bias": Target("attention.value_bias"),
    **_distances("attention.attention.relative_position_bias.", "relative"),
    **_distances("relative_position_bias.", "relative"),
}

BEIT: Table = {
    **VIT,
    **under(("encoder.layer.{}.", "layers.{}."), "blocks.{}.", BEIT_LAYER),
    **_distances("encoder.relative_position_bias.", "relative"),
    **_distances("shared_position_bias.", "relative"),
    "pooler.layernorm.weight": None,
    "pooler.layernorm.bias": None,
}

SWIN_LAYER: Table = {
    **LAYER,
    **_queries("attention.self"),
    **_distances("attention.self.", "relative"),
    **_distances("attention.relative_position_bias.", "relative"),
}

SWIN: Table = {
    **PATCHES,
    **affine("embeddings.norm", "patch_norm"),
    **under(("encoder.layers.{}.blocks.{}.",), "stages.{}.blocks.{}.", SWIN_LAYER),
    **affine("encoder.layers.{}.downsample.norm", "stages.{}.merge_norm"),
    "encoder.layers.{}.downsample.reduction.weight": Target("stages.{}.merge.weight"),
    **affine("layernorm", "final_norm"),
}

ENCODERS = {
    "vit": VIT,
    "deit": DEIT,
    "beit": BEIT,
    "swin": SWIN,
}  # by model_type, as of a checkpoint of the encoder alone
