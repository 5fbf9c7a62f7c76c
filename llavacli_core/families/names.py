"""Weight names: tables from a checkpoint's to ours, one function that reads them; strangers are refused.

The Hub's files, transformers' modules in memory and what transformers 5 writes put three different prefixes before
the same names; all are known, in any mix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Target:
    """Where a tensor goes: one of our parameters and, where that stacks several matrices, which of them.

    The last two say how the tensor lies on disk; they are no part of the place's identity.
    """

    name: str
    part: int = 0
    transposed: bool = field(default=False, compare=False)  # stored [in, out], as GPT-2's Conv1D has it
    squeezed: bool = field(default=False, compare=False)  # stored with leading dimensions of 1 that ours lacks


Table = dict[str, Target | None]  # None: known, and not kept


def _affine(theirs: str, ours: str, part: int = 0) -> Table:
    """The rows of a layer with a weight and perhaps a bias."""
    return {f"{theirs}.{end}": Target(f"{ours}.{end}", part) for end in ("weight", "bias")}


CLIP: Table = {
    "embeddings.class_embedding": Target("class_embedding"),
    "embeddings.patch_embedding.weight": Target("patch_weight"),
    "embeddings.patch_embedding.bias": Target("patch_bias"),
    "embeddings.position_embedding.weight": Target("positions"),
    "embeddings.position_ids": None,  # a buffer that older files hold
    **_affine("pre_layrnorm", "pre_norm"),  # spelt so
    **_affine("encoder.layers.{}.layer_norm1", "blocks.{}.attention_norm"),
    **_affine("encoder.layers.{}.self_attn.q_proj", "blocks.{}.attention.qkv", 0),
    **_affine("encoder.layers.{}.self_attn.k_proj", "blocks.{}.attention.qkv", 1),
    **_affine("encoder.layers.{}.self_attn.v_proj", "blocks.{}.attention.qkv", 2),
    **_affine("encoder.layers.{}.self_attn.out_proj", "blocks.{}.attention.out"),
    **_affine("encoder.layers.{}.layer_norm2", "blocks.{}.mlp_norm"),
    **_affine("encoder.layers.{}.mlp.fc1", "blocks.{}.up"),
    **_affine("encoder.layers.{}.mlp.fc2", "blocks.{}.down"),
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
    **_affine("layers.{}.self_attn.q_proj", "blocks.{}.attention.qkv", 0),
    **_affine("layers.{}.self_attn.k_proj", "blocks.{}.attention.qkv", 1),
    **_affine("layers.{}.self_attn.v_proj", "blocks.{}.attention.qkv", 2),
    **_affine("layers.{}.self_attn.o_proj", "blocks.{}.attention.out"),
    "layers.{}.self_attn.rotary_emb.inv_freq": None,  # recomputed, not stored
    "layers.{}.post_attention_layernorm.weight": Target("blocks.{}.mlp_norm.weight"),
    **_affine("layers.{}.mlp.gate_proj", "blocks.{}.mlp.gate_up", 0),
    **_affine("layers.{}.mlp.up_proj", "blocks.{}.mlp.gate_up", 1),
    **_affine("layers.{}.mlp.down_proj", "blocks.{}.mlp.down"),
    "norm.weight": Target("norm.weight"),
    "rotary_emb.inv_freq": None,
}

CONNECTOR: Table = {**_affine("linear_1", "up"), **_affine("linear_2", "down")}
HEAD: Table = {"weight": Target("head.weight")}
NEWLINE: Table = {"": Target("newline")}


def _under(prefixes: tuple[str, ...], ours: str, table: Table) -> Table:
    """`table` with each of the checkpoint's `prefixes` before its names, and ours before our own."""
    return {
        prefix + theirs: None if target is None else replace(target, name=ours + target.name)
        for prefix in prefixes
        for theirs, target in table.items()
    }


LLAVA: Table = {
    **_under(
        ("vision_tower.vision_model.", "vision_tower.", "model.vision_tower.vision_model.", "model.vision_tower."),
        "vision.",
        CLIP | SIGLIP_HEAD,
    ),
    **_under(("multi_modal_projector.", "model.multi_modal_projector."), "connector.", CONNECTOR),
    **_under(("language_model.model.", "model.language_model."), "decoder.", LLAMA),
    **_under(("language_model.lm_head.", "lm_head."), "decoder.", HEAD),
}
LLAVA_NEXT: Table = LLAVA | _under(("image_newline", "model.image_newline"), "connector.", NEWLINE)


def rename(name: str, table: Table) -> Target | None:
    """Our place for a checkpoint's weight; None for one that is known and not kept. KeyError for a stranger."""
    numbers = re.findall(r"(?<=\.)\d+(?=\.)", name)
    target = table[re.sub(r"(?<=\.)\d+(?=\.)", "{}", name)]
    return None if target is None else replace(target, name=target.name.format(*numbers))


def theirs(target: Target, table: Table) -> str:
    """What a checkpoint on the Hub calls one of our weights: the first row that leads there."""
    numbers = re.findall(r"(?<=\.)\d+(?=\.)", target.name)
    pattern = Target(re.sub(r"(?<=\.)\d+(?=\.)", "{}", target.name), target.part)
    return next(name for name, ours in table.items() if ours == pattern).format(*numbers)
