"""The captioner: a vision encoder, and a text decoder that looks at its states.

N pictures  S the encoder's positions  E size of its states, as the decoder gets them  R rows  T sequence  V vocabulary
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from llavacli_core.config import CaptionerConfig
from llavacli_core.nn.encoders import build_encoder
from llavacli_core.nn.linear import Linear
from llavacli_core.nn.rows import Rows
from llavacli_core.nn.text_decoder import TextDecoder


class EncoderDecoder(nn.Module):
    """Any encoder with any decoder. Made with uninitialised weights; `kernel` is how attention is computed."""

    def __init__(self, config: CaptionerConfig, *, kernel: str = "sdpa") -> None:
        super().__init__()
        self.config = config
        self.encoder = build_encoder(config.encoder, kernel)
        sizes = config.encoder.hidden_size, config.decoder.cross_attention_hidden_size
        self.projection = Linear(*sizes, bias=True) if config.projected else None
        self.decoder = TextDecoder(config.decoder, kernel=kernel)

    def project(self, states: Tensor) -> Tensor:
        """The encoder's own last hidden states -> [N, S, E]."""
        return states if self.projection is None else self.projection(states)

    def encode(self, pixels: Tensor) -> Tensor:
        """Pictures [N, 3, height, width] -> what the decoder looks at, [N, S, E]."""
        return self.project(self.encoder(pixels))

    def forward(
        self, pixels: Tensor, ids: Tensor | None = None, labels: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Pictures and ids [N, T] -> logits [N, T, V], and with `labels` [N, T] (-100: ignored) the loss.

        Without ids, the labels shifted by one stand in for them. `mask` [N, T] is false for padding. Differentiable;
        generation goes by `encode`, `start` and `step` instead.
        """
        if ids is None:
            assert labels is not None
            ids = self.shifted(labels)
        logits = self.decoder.logits(self.decoder(ids, self.encode(pixels), mask=mask))
        return logits, None if labels is None else label_loss(logits, labels)

    def shifted(self, labels: Tensor) -> Tensor:
        """The ids that a decoder is to continue with `labels`: moved right by one, behind the start token."""
        start, padding = self.config.decoder_start_token_id, self.config.pad_token_id
        if start is None or padding is None:
            raise ValueError("labels need decoder_start_token_id and pad_token_id in config.json")
        ids = F.pad(labels[:, :-1], (1, 0), value=start)
        return ids.masked_fill(ids == -100, padding)

    def start(self, states: Tensor) -> Rows:
        """A row for each of the states [N, S, E], with no token yet; keys and values of the picture made once."""
        decoder = self.config.decoder
        return Rows.empty(
            states.shape[0],
            layers=decoder.num_hidden_layers,
            heads=decoder.num_attention_heads,
            head_dim=decoder.head_dim,
            device=states.device,
            dtype=states.dtype,
            fixed=self.decoder.crossed(states),
        )

    def step(self, tokens: Tensor, rows: Rows) -> Tensor:
        """Append tokens to every row, ids [R, T]; scores of what follows each, [R, T, V]."""
        return self.decoder.step(tokens, rows)


def label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of logits [N, T, V] against labels [N, T] in the same places; -100 does not count."""
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten())
