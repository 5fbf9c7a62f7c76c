"""Weight names of the decoders that captioners have: GPT-2, TrOCR, BERT, RoBERTa.

Each is known with and without its model's own prefix (`transformer.`, `bert.`), which a checkpoint of the decoder alone
may lack. Buffers and poolers are known and not kept.
"""

from __future__ import annotations

from llavacli_core.families.names.table import WHOLE, Table, Target, affine, under


def _conv1d(theirs: str, ours: str, part: int = 0) -> Table:
    """The rows of a layer whose weight lies transposed, as all of GPT-2's do."""
    return {
        f"{theirs}.weight": Target(f"{ours}.weight", part, transposed=True),
        f"{theirs}.bias": Target(f"{ours}.bias", part),
    }


GPT2: Table = {
    "wte.weight": Target("embedding.weight"),
    "wpe.weight": Target("positions.table"),
    **affine("h.{}.ln_1", "blocks.{}.attention_norm"),
    **_conv1d("h.{}.attn.c_attn", "blocks.{}.attention.qkv", WHOLE),
    **_conv1d("h.{}.attn.c_proj", "blocks.{}.attention.out"),
    **affine("h.{}.ln_cross_attn", "blocks.{}.cross_norm"),
    **_conv1d("h.{}.crossattention.q_attn", "blocks.{}.cross.query"),
    **_conv1d("h.{}.crossattention.c_attn", "blocks.{}.cross.kv", WHOLE),
    **_conv1d("h.{}.crossattention.c_proj", "blocks.{}.cross.out"),
    **affine("h.{}.ln_2", "blocks.{}.mlp_norm"),
    **_conv1d("h.{}.mlp.c_fc", "blocks.{}.up"),
    **_conv1d("h.{}.mlp.c_proj", "blocks.{}.down"),
    **affine("ln_f", "norm"),
    # Causal masks, which older files hold as buffers.
    **dict.fromkeys(
        f"h.{{}}.{part}.{buffer}" for part in ("attn", "crossattention") for buffer in ("bias", "masked_bias")
    ),
}

TROCR: Table = {
    "embed_tokens.weight": Target("embedding.weight"),
    "embed_positions.weight": Target("positions.table"),
    # Of sinusoidal positions, which are computed.
    "embed_positions._float_tensor": None,
    "embed_positions.weights": None,
    **affine("layernorm_embedding", "embedding_norm"),
    **affine("layers.{}.self_attn.q_proj", "blocks.{}.attention.qkv", 0),
    **affine("layers.{}.self_attn.k_proj", "blocks.{}.attention.qkv", 1),
    **affine("layers.{}.self_attn.v_proj", "blocks.{}.attention.qkv", 2),
    **affine("layers.{}.self_attn.out_proj", "blocks.{}.attention.out"),
    **affine("layers.{}.self_attn_layer_norm", "blocks.{}.attention_norm"),
    **affine("layers.{}.encoder_attn.q_proj", "blocks.{}.cross.query"),
    **affine("layers.{}.encoder_attn.k_proj", "blocks.{}.cross.kv", 0),
    **affine("layers.{}.encoder_attn.v_proj", "blocks.{}.cross.kv", 1),
    **affine("layers.{}.encoder_attn.out_proj", "blocks.{}.cross.out"),
    **affine("layers.{}.encoder_attn_layer_norm", "blocks.{}.cross_norm"),
    **affine("layers.{}.fc1", "blocks.{}.up"),
    **affine("layers.{}.fc2", "blocks.{}.down"),
    **affine("layers.{}.final_layer_norm", "blocks.{}.mlp_norm"),
}


def _norm(theirs: str, ours: str) -> Table:
    """The rows of a layer norm, whose parameters BERT's first files call gamma and beta."""
    old = {f"{theirs}.gamma": Target(f"{ours}.weight"), f"{theirs}.beta": Target(f"{ours}.bias")}
    return affine(theirs, ours) | old


# RoBERTa's layers are called the same.
BERT: Table = {
    "embeddings.word_embeddings.weight": Target("embedding.weight"),
    "embeddings.position_embeddings.weight": Target("positions.table"),
    "embeddings.token_type_embeddings.weight": Target("token_types"),
    "embeddings.position_ids": None,
    "embeddings.token_type_ids": None,
    **_norm("embeddings.LayerNorm", "embedding_norm"),
    **affine("encoder.layer.{}.attention.self.query", "blocks.{}.attention.qkv", 0),
    **affine("encoder.layer.{}.attention.self.key", "blocks.{}.attention.qkv", 1),
    **affine("encoder.layer.{}.attention.self.value", "blocks.{}.attention.qkv", 2),
    **affine("encoder.layer.{}.attention.output.dense", "blocks.{}.attention.out"),
    **_norm("encoder.layer.{}.attention.output.LayerNorm", "blocks.{}.attention_norm"),
    **affine("encoder.layer.{}.crossattention.self.query", "blocks.{}.cross.query"),
    **affine("encoder.layer.{}.crossattention.self.key", "blocks.{}.cross.kv", 0),
    **affine("encoder.layer.{}.crossattention.self.value", "blocks.{}.cross.kv", 1),
    **affine("encoder.layer.{}.crossattention.output.dense", "blocks.{}.cross.out"),
    **_norm("encoder.layer.{}.crossattention.output.LayerNorm", "blocks.{}.cross_norm"),
    **affine("encoder.layer.{}.intermediate.dense", "blocks.{}.up"),
    **affine("encoder.layer.{}.output.dense", "blocks.{}.down"),
    **_norm("encoder.layer.{}.output.LayerNorm", "blocks.{}.mlp_norm"),
    "pooler.dense.weight": None,
    "pooler.dense.bias": None,
}

# The bias of the words has two names, which stand for one tensor; where a file tells them apart, the second counts.
BERT_HEAD: Table = {
    "cls.predictions.bias": Target("transform.bias"),
    "cls.predictions.decoder.bias": Target("transform.bias"),
    "cls.predictions.decoder.weight": Target("head.weight"),
    **affine("cls.predictions.transform.dense", "transform.dense"),
    **_norm("cls.predictions.transform.LayerNorm", "transform.norm"),
    # Of the model for pretraining: whether one sentence follows another.
    "cls.seq_relationship.weight": None,
    "cls.seq_relationship.bias": None,
}
ROBERTA_HEAD: Table = {
    "lm_head.bias": Target("transform.bias"),
    "lm_head.decoder.bias": Target("transform.bias"),
    "lm_head.decoder.weight": Target("head.weight"),
    **affine("lm_head.dense", "transform.dense"),
    **affine("lm_head.layer_norm", "transform.norm"),
}

TEXT_DECODERS: dict[str, Table] = {  # by model_type
    "gpt2": {**under(("transformer.", ""), "", GPT2), "lm_head.weight": Target("head.weight")},
    "trocr": {
        **under(("model.decoder.", "decoder.", ""), "", TROCR),
        "output_projection.weight": Target("head.weight"),
    },
    "bert": {**under(("bert.", ""), "", BERT), **BERT_HEAD},
    "roberta": {**under(("roberta.", ""), "", BERT), **ROBERTA_HEAD},
}
