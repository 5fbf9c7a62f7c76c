"""Where a token stands, as an embedding: learned or sinusoidal, with or without places for padding.

B batch  T sequence  D hidden size
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from llavacli_core.config import TextDecoderConfig


class Positions(nn.Module):
    """A table of positions, looked up by row; a sinusoidal one is computed row by row and has no weights."""

    def __init__(self, config: TextDecoderConfig) -> None:
        super().__init__()
        self.config = config
        learned = config.max_position_embeddings + config.position_offset, config.hidden_size
        self.table = None if config.sinusoidal else nn.Parameter(torch.empty(learned))

    def rows(self, ids: Tensor | None, words: Tensor) -> Tensor:
        """The rows for ids [B, T] from the first position on; without ids, for words [B, T, D] one after the other."""
        if ids is None or not self.config.skip_padding:
            return torch.arange(words.shape[1], device=words.device).add_(self.config.position_offset)[None]
        tokens = self._counted(ids)
        return tokens.cumsum(1) * tokens + (self.config.position_offset - 1)

    def next_rows(self, ids: Tensor, positions: Tensor) -> Tensor:
        """The rows for more tokens of each text, ids [R, T] at `positions` [R, T].

        Padding inside an answer keeps its place in the count, as it does in the reference's cached generation.
        """
        rows = positions + self.config.position_offset
        if not self.config.skip_padding:
            return rows
        return rows.where(self._counted(ids), self.config.position_offset - 1)

    def _counted(self, ids: Tensor) -> Tensor:
        """Which of the ids are no padding."""
        assert self.config.pad_token_id is not None
        return ids.ne(self.config.pad_token_id)

    def forward(self, rows: Tensor, dtype: torch.dtype) -> Tensor:
        """Rows [...] -> embeddings [..., D]."""
        if self.table is not None:
            return F.embedding(rows, self.table)
        return sinusoids(rows, self.config.hidden_size, padding=self.config.position_offset - 1).to(dtype)


def sinusoids(rows: Tensor, size: int, *, padding: int) -> Tensor:
    """Sines, then cosines, of rows [...] at `size` / 2 frequencies -> [..., size]; zeros for the row of padding.

    As tensor2tensor has it (and TrOCR's modelling file in transformers): not interleaved, and in float32.
    """
    half = size // 2
    steps = torch.arange(half, device=rows.device).float()
    angles = rows[..., None].float() * torch.exp(steps * -(math.log(10000) / (half - 1)))
    table = torch.cat((angles.sin(), angles.cos()), dim=-1)
    if size % 2:
        table = F.pad(table, (0, 1))
    return table.masked_fill_((rows == padding)[..., None], 0)
