"""The KV cache as `past_key_values`: what later calls of `forward` go on from."""

from __future__ import annotations

import torch
from torch import Tensor

from llavacli_core.nn.cache import KVCache
from llavacli_core.nn.encoder_decoder import EncoderDecoder
from llavacli_core.nn.rows import Rows


class DynamicCache(KVCache):
    """A KV cache under the names that the documents use."""

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Positions it holds, the same in every layer."""
        return self.length

    def crop(self, max_length: int) -> None:
        """Forget what lies beyond `max_length` positions, or the last `-max_length` ones."""
        self.truncate(max_length if max_length >= 0 else self.length + max_length)

    def __len__(self) -> int:
        return len(self.layers)


class CaptionCache:
    """What a captioner's decoder has seen: ids, made into keys and values when a later call goes on from them."""

    def __init__(self, network: EncoderDecoder, states: Tensor, ids: Tensor) -> None:
        self.network, self.states, self.ids = network, states, ids
        self._rows: Rows | None = None

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Positions it holds."""
        return self.ids.shape[1]

    @torch.no_grad()
    def extend(self, ids: Tensor) -> Tensor:
        """Append ids [B, T]; scores after each of them, [B, T, V]."""
        if self._rows is None:
            self._rows = self.network.start(self.states)
            self.network.step(self.ids, self._rows)
        self.ids = torch.cat((self.ids, ids), dim=1)
        return self.network.step(ids, self._rows)
