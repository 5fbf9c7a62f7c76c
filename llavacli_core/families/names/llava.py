"""Weight names of LLaVA's parts: the CLIP or SigLIP tower, the connector, the rotary decoder.

The Hub's files, transformers' modules in memory and what transformers 5 writes put three different prefixes before
the same names; all are known, in any mix.
"""

from __future__ import annotations

from llavacli_core.families.names.table import Table, Target, affine, under

CLIP: Table = {
    "embeddings.class_embedding": Target("class_embedding"),
    "embeddings.patch_embedding.weight": Target("patch_weight"),
    "embeddings.patch_embedding.bias": Target("patch_bias"),
    "embeddings.position_embedding.weight": Target("positions"),
    "embeddings.position_ids": None,  # a buffer that older files hold
    **affine("pre_layrnorm", "pre_norm"),  # spelt so
    **affine("encoder.layers.{}.layer_norm1", "blocks.{}.attention_norm"),
    **affine("encoder.layers.{}.self_attn.q_proj", "blocks.{}.attention.qkv", 0),
    **affine("encoder.layers.{}.self_attn.k_proj", "blocks.{}.attention.qkv", 1),
    **affine("encoder.layers.{}.self_attn.v_proj", "blocks.{}.attention.qkv", 2),
    **affine("encoder.layers.{}.self_attn.out_proj", "blocks.{}.attention.out"),
    **affine("encoder.layers.{}.layer_norm2", "blocks.{}.mlp_norm"),
    **affine("encoder.layers.{}.mlp.fc1", "blocks.{}.up"),
    **affine("encoder.layers.{}.mlp.fc2", "blocks.{}.down"),
    # After the last layer: LLaVA takes hidden states from before these.
    "post_layernorm.weight": None,
    "post_layernorm.bias": None,
}

SIGLIP_HEAD: Table = dict.fromkeys(
    (
        "head.probe",
        *(f"head.attention.{name}" for name in ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")),
        *(f"head.{layer}.{end}" for layer in ("layernorm", "mlp.fc1", "mlp.fc2") for end in ("weight", "bias")),
    )
)

LLAMA: Table = {
    "embed_tokens.weight": Target("embedding.weight"),
    "layers.{}.input_layernorm.weight": Target("blocks.{}.attention_norm.weight"),
    **affine("layers.{}.self_attn.q_proj", "blocks.{}.attention.qkv", 0),
    **affine("layers.{}.self_attn.k_proj", "blocks.{}.attention.qkv", 1),
    **affine("layers.{}.self_attn.v_proj", "blocks.{}.attention.qkv", 2),
    **affine("layers.{}.self_attn.o_proj", "blocks.{}.attention.out"),
    "layers.{}.self_attn.rotary_emb.inv_freq": None,  # recomputed, not stored
    "layers.{}.post_attention_layernorm.weight": Target("blocks.{}.mlp_norm.weight"),
    **affine("layers.{}.mlp.gate_proj", "blocks.{}.mlp.gate_up", 0),
    **affine("layers.{}.mlp.up_proj", "blocks.{}.mlp.gate_up", 1),
    **affine("layers.{}.mlp.down_proj", "blocks.{}.mlp.down"),
    "norm.weight": Target("norm.weight"),
    "rotary_emb.inv_freq": None,
}

CONNECTOR: Table = {**affine("linear_1", "up"), **affine("linear_2", "down")}
HEAD: Table = {"weight": Target("head.weight")}
PROJECTOR_NORM: Table = affine("projector_layernorm", "norm")
NEWLINE: Table = {"": Target("newline")}
POOL: Table = affine("pool", "pool")
PROJECTORS = ("multi_modal_projector.", "model.multi_modal_projector.")

LLAVA: Table = {
    **under(
        ("vision_tower.vision_model.", "vision_tower.", "model.vision_tower.vision_model.", "model.vision_tower."),
        "vision.",
        CLIP | SIGLIP_HEAD,
    ),
    **under(PROJECTORS, "connector.", CONNECTOR),
    **under(("language_model.model.", "model.language_model."), "decoder.", LLAMA),
    **under(("language_model.lm_head.", "lm_head."), "decoder.", HEAD),
}
LLAVA_NEXT: Table = LLAVA | under(("image_newline", "model.image_newline"), "connector.", NEWLINE)
VIP_LLAVA: Table = LLAVA | under(PROJECTORS, "connector.", PROJECTOR_NORM)
LLAVA_NEXT_VIDEO: Table = LLAVA_NEXT | under(("vision_resampler.", "model.vision_resampler."), "connector.", POOL)
