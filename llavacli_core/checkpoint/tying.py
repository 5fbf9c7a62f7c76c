"""Whether a decoder's head is its embedding: as config.json states it, unless the stored tensors say otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from llavacli_core.checkpoint.stored import Stored, open_weights
from llavacli_core.checkpoint.weights import EMBEDDING, HEAD
from llavacli_core.config import CaptionerConfig, ModelConfig
from llavacli_core.families.names import Table


def tied_as_stored(
    config: ModelConfig | CaptionerConfig, tensors: Sequence[Stored], table: Table
) -> ModelConfig | CaptionerConfig:
    """The config as its weights have it. As transformers does: two tensors that differ are two, whatever is stated.

    A checkpoint without a head has the embedding for one.
    """
    placed = {table.get(tensor.name): tensor for tensor in tensors}
    head, embedding = placed.get(HEAD), placed.get(EMBEDDING)
    stated = config.decoder.tie_word_embeddings
    tied = head is None or (stated and (embedding is None or _equal(head, embedding)))
    if tied == stated:
        return config
    if isinstance(config, CaptionerConfig):  # the same for both, but a type checker must know which
        return replace(config, decoder=replace(config.decoder, tie_word_embeddings=tied))
    return replace(config, decoder=replace(config.decoder, tie_word_embeddings=tied))


def _equal(one: Stored, other: Stored) -> bool:
    """Whether two tensors hold the same numbers."""
    if one.shape != other.shape or one.format != other.format:
        return False
    first, second = (open_weights(stored.file).tensor(stored.name) for stored in (one, other))
    return torch.equal(first, second)
