"""The decoders of captioners, which look at an encoder's states: GPT-2, TrOCR, BERT and RoBERTa by config values alone.

B batch  T sequence  S the encoder's positions  D hidden size  E size of the encoder's states  H heads  C head dim
V vocabulary
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from llavacli_core.config import TextDecoderConfig
from llavacli_core.nn.activations import ACTIVATIONS
from llavacli_core.nn.attention import attend, visible_among
from llavacli_core.nn.linear import Linear
from llavacli_core.nn.norms import LayerNorm
from llavacli_core.nn.positions import Positions
from llavacli_core.nn.settling import Settling
from llavacli_core.nn.text_step import TextStep
from llavacli_core.nn.trace import Trace


class SelfAttention(nn.Module):
    """Each position looks back; `factor` multiplies the scores."""

    def __init__(self, config: TextDecoderConfig, factor: float, kernel: str) -> None:
        super().__init__()
        self.heads, self.factor, self.kernel = config.num_attention_heads, factor, kernel
        size = config.hidden_size
        self.qkv = Linear(size, size, size, size, bias=True)
        self.out = Linear(size, size, bias=True)

    def forward(self, x: Tensor, mask: Tensor | None, weights: list[Tensor] | None = None) -> Tensor:
        """[B, T, D] -> [B, T, D]. `mask` [B, 1, T, T] is true where one may look; without it, all that came before."""
        batch, length, size = x.shape
        qkv = self.qkv(x).view(batch, length, 3, self.heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # [B, H, T, C] each
        q = q if self.factor == 1 else q * self.factor
        y = attend(q, k, v, mask, causal=True, kernel=self.kernel, weights=weights)
        return self.out(y.transpose(1, 2).reshape(batch, length, size))  # type: ignore[no-any-return]


class CrossAttention(nn.Module):
    """Each position looks at all of the encoder's."""

    def __init__(self, config: TextDecoderConfig, factor: float, kernel: str) -> None:
        super().__init__()
        self.heads, self.factor, self.kernel = config.num_attention_heads, factor, kernel
        size = config.hidden_size
        self.query = Linear(size, size, bias=True)
        self.kv = Linear(config.cross_attention_hidden_size, size, size, bias=True)
        self.out = Linear(size, size, bias=True)

    def keys_values(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """[B, S, E] -> what there is to look at, [B, H, S, C] twice."""
        kv = self.kv(states).view(*states.shape[:2], 2, self.heads, -1)
        keys, values = kv.permute(2, 0, 3, 1, 4).contiguous().unbind(0)
        return keys, values

    def forward(self, x: Tensor, states: Tensor, weights: list[Tensor] | None = None) -> Tensor:
        """[B, T, D] and [B, S, E] -> [B, T, D]."""
        batch, length, size = x.shape
        q = self.query(x).view(batch, length, self.heads, -1).transpose(1, 2)  # [B, H, T, C]
        q = q if self.factor == 1 else q * self.factor
        y = attend(q, *self.keys_values(states), None, causal=False, kernel=self.kernel, weights=weights)
        return self.out(y.transpose(1, 2).reshape(batch, length, size))  # type: ignore[no-any-return]


class Block(nn.Module):
    """One layer: self-attention, cross-attention, feed-forward, each with its norm before or behind it."""

    def __init__(self, config: TextDecoderConfig, factor: float, kernel: str) -> None:
        super().__init__()
        size, eps = config.hidden_size, config.layer_norm_eps
        self.pre_norm = config.pre_norm
        self.attention_norm = LayerNorm(size, eps)
        self.attention = SelfAttention(config, factor, kernel)
        self.cross_norm = LayerNorm(size, eps)
        self.cross = CrossAttention(config, factor, kernel)
        self.mlp_norm = LayerNorm(size, eps)
        self.up = Linear(size, config.intermediate_size, bias=True)
        self.down = Linear(config.intermediate_size, size, bias=True)
        self.act = ACTIVATIONS[config.hidden_act]

    def forward(self, x: Tensor, states: Tensor | None, mask: Tensor | None, trace: Trace | None) -> Tensor:
        """[B, T, D] and [B, S, E] -> [B, T, D]. Without states there is no cross-attention."""
        seen, crossed = (None, None) if trace is None else (trace.attentions, trace.cross_attentions)
        x = self._residual(x, self.attention_norm, lambda y: self.attention(y, mask, seen))
        if states is not None:
            x = self._residual(x, self.cross_norm, lambda y: self.cross(y, states, crossed))
        return self._residual(x, self.mlp_norm, lambda y: self.down(self.act(self.up(y))))

    def _residual(self, x: Tensor, norm: LayerNorm, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        """x and what the sublayer adds to it, with the norm where this decoder has it."""
        return x + sublayer(norm(x)) if self.pre_norm else norm(x + sublayer(x))


class Head(nn.Module):
    """What BERT and RoBERTa do before they score words: dense, activation, norm; and the bias they add to scores."""

    def __init__(self, config: TextDecoderConfig, act: str) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.hidden_size, bias=True)
        self.act = ACTIVATIONS[act]
        self.norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.bias = nn.Parameter(torch.empty(config.vocab_size))

    def forward(self, x: Tensor) -> Tensor:
        """[..., D] -> [..., D]."""
        return self.norm(self.act(self.dense(x)))  # type: ignore[no-any-return]


class TextDecoder(nn.Module):
    """Words and positions embedded, layers, head. A tied head is the embedding itself: `head` is then None."""

    def __init__(self, config: TextDecoderConfig, *, kernel: str = "sdpa") -> None:
        super().__init__()
        self.config, self.kernel = config, kernel
        self.settling = Settling()
        size, eps = config.hidden_size, config.layer_norm_eps
        self.embedding = Linear(size, config.vocab_size, bias=False)
        self.positions = Positions(config)
        self.token_types = nn.Parameter(torch.empty(config.token_types, size)) if config.token_types else None
        self.embedding_norm = LayerNorm(size, eps) if config.embedding_norm else None
        self.blocks = nn.ModuleList(Block(config, factor, kernel) for factor in config.score_factors)
        self.norm = LayerNorm(size, eps) if config.final_norm else None
        self.transform = None if config.head_act is None else Head(config, config.head_act)
        self.head = None if config.tie_word_embeddings else Linear(size, config.vocab_size, bias=False)

    def words(self, ids: Tensor) -> Tensor:
        """Ids [B, T] -> their embeddings [B, T, D], without positions."""
        x = F.embedding(ids, self.embedding.weight)
        return x if self.config.embedding_scale == 1 else x * self.config.embedding_scale

    def place(self, words: Tensor, rows: Tensor) -> Tensor:
        """Words [B, T, D] in their places, [B, T] as rows of the table of positions -> what the first layer gets."""
        x = words if self.token_types is None else words + self.token_types[0]
        x = x + self.positions(rows, words.dtype)
        return x if self.embedding_norm is None else self.embedding_norm(x)  # type: ignore[no-any-return]

    def forward(
        self,
        ids: Tensor | None,
        states: Tensor | None,
        *,
        words: Tensor | None = None,
        positions: Tensor | None = None,
        mask: Tensor | None = None,
        trace: Trace | None = None,
    ) -> Tensor:
        """Ids [B, T] (or `words` [B, T, D]) and the encoder's states [B, S, E] -> hidden states [B, T, D].

        `positions` [B, T] are rows of the table of positions, where they are not those that follow from the ids; `mask`
        [B, T] is true (or 1) for tokens, false for padding, which nothing but padding looks at.
        """
        if words is None:
            assert ids is not None
            words = self.words(ids)
        x = self.place(words, self.positions.rows(ids, words) if positions is None else positions)
        looks = None if mask is None else visible_among(mask, x.shape[1], None)
        if trace is not None:
            trace.hidden_states.append(x)
        for block in cast("list[Block]", self.blocks):
            x = block(x, states, looks, trace)
            if trace is not None:
                trace.hidden_states.append(x)
        if self.norm is not None:
            x = self.norm(x)
            if trace is not None:
                trace.hidden_states[-1] = x
        return x

    def logits(self, x: Tensor) -> Tensor:
        """Hidden states [..., D] -> scores of the next token [..., V]."""
        words = self.embedding if self.head is None else self.head
        if self.transform is None:
            return words(x)  # type: ignore[no-any-return]
        return words(self.transform(x)) + self.transform.bias  # type: ignore[no-any-return]

    def crossed(self, states: Tensor) -> list[tuple[Tensor, Tensor]]:
        """What every layer looks at in the encoder's states [B, S, E]: keys and values [B, H, S, C]."""
        return [block.cross.keys_values(states) for block in cast("list[Block]", self.blocks)]

    @cached_property
    def step(self) -> TextStep:
        """One more token for each of some rows. Made at first use, once weights are in place."""
        return TextStep(self)
