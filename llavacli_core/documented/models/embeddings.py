"""The words of a model: its embedding and its head as modules, and as many of them as a tokenizer has.

V vocabulary  D hidden size
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from llavacli_core.nn.text_decoder import TextDecoder


class WordEmbeddings:
    """A model with words in and words out."""

    config: Any
    network: Any

    @property
    def speaker(self) -> Any:
        """The part of the network that embeds words and scores them."""
        return self.network.decoder

    def get_input_embeddings(self) -> nn.Embedding:
        """The token embedding as a module: ids to vectors, its weight the model's own."""
        weight = self.speaker.embedding.weight
        module = nn.Embedding(weight.shape[0], weight.shape[1], device="meta")
        module.weight = weight
        return module

    def get_output_embeddings(self) -> nn.Module | None:
        """The head as a module: vectors to scores, its weight the model's own."""
        weight = (self.speaker.embedding if self.speaker.head is None else self.speaker.head).weight
        module = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
        module.weight = weight
        return module

    def resize_token_embeddings(
        self, new_num_tokens: int | None = None, pad_to_multiple_of: int | None = None, mean_resizing: bool = True
    ) -> nn.Embedding:
        """As many words as `new_num_tokens`, in the embedding, the head and the config; the embedding.

        New ones are what the others are on average (transformers adds noise of a millionth to that); without
        `mean_resizing` they are random. Of fewer, the last are dropped.
        """
        decoder, multiple = self.speaker, pad_to_multiple_of or 1
        size = -(-(new_num_tokens or decoder.embedding.weight.shape[0]) // multiple) * multiple
        spread = None if mean_resizing else self.config.get_text_config().to_dict().get("initializer_range", 0.02)
        for words in (decoder.embedding, decoder.head):
            if words is not None:
                words.weight, words.parts = resized(words.weight, size, spread), (size,)
        if isinstance(decoder, TextDecoder) and decoder.transform is not None:
            decoder.transform.bias = resized(decoder.transform.bias, size, spread)
        decoder.config = replace(decoder.config, vocab_size=size)
        self.config.get_text_config().vocab_size = size
        return self.get_input_embeddings()

    def tie_weights(self, **_: Any) -> None:
        """Nothing is left to do: a tied head is the embedding itself."""


@torch.no_grad()
def resized(weight: nn.Parameter, size: int, spread: float | None) -> nn.Parameter:
    """[V, ...] -> [size, ...]; new rows are the mean of the old ones, or normal with `spread`."""
    if size == len(weight):
        return weight
    kept = weight[:size]
    new: Tensor = weight.new_empty(size - len(kept), *weight.shape[1:])
    if spread is None:
        new[:] = weight.float().mean(0)
    else:
        new.normal_(0, spread)
    return nn.Parameter(torch.cat((kept, new)), requires_grad=weight.requires_grad)
