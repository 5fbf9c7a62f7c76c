"""The rotary decoder: Llama, Mistral and Qwen2 by config values alone.

B batch  T sequence  D hidden size  H heads  K key-value heads  C head dim  V vocabulary
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from llavacli_core.config import DecoderConfig
from llavacli_core.nn.activations import ACTIVATIONS
from llavacli_core.nn.attention import attend, visible, visible_among, visible_from
from llavacli_core.nn.cache import KVCache, LayerCache
from llavacli_core.nn.linear import Linear, each
from llavacli_core.nn.norms import RMSNorm
from llavacli_core.nn.rotary import Rotary, Turn
from llavacli_core.nn.rows import Rows
from llavacli_core.nn.rows_step import RowsStep
from llavacli_core.nn.settling import Settling
from llavacli_core.nn.slices import by_slices
from llavacli_core.nn.step import Step
from llavacli_core.nn.trace import Trace


class Attention(nn.Module):
    """Grouped-query attention with rotary positions, causal, over a window where the layer has one."""

    def __init__(self, config: DecoderConfig, window: int | None, kernel: str) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = (
            config.num_attention_heads,
            config.num_key_value_heads,
            config.head_dim,
        )
        self.window, self.kernel = window, kernel
        kv_size = self.kv_heads * self.head_dim
        self.qkv = Linear(config.hidden_size, self.heads * self.head_dim, kv_size, kv_size, bias=config.qkv_bias)
        self.out = Linear(self.heads * self.head_dim, config.hidden_size, bias=config.output_bias)

    def forward(
        self,
        x: Tensor,
        turn: Turn,
        mask: Tensor | None,
        start: int,
        cache: LayerCache | None,
        weights: list[Tensor] | None = None,
        wanted: Sequence[int] | None = None,
    ) -> Tensor:
        """[B, T, D] -> [B, T, D]. With a cache, these are positions start .. start + T - 1 of it.

        A list given as `weights` gets the attention weights [B, H, T, S] appended. With `wanted`, one place in each
        row, only these look, and only they come out: [B, 1, D].
        """
        batch, length, _ = x.shape
        q, k, v = (y.view(batch, length, -1, self.head_dim) for y in each(self.qkv, x))  # [B, T, H or K, C]
        q = chosen(turn(q), wanted).transpose(1, 2)  # [B, H, T, C], or one for T
        k, v = turn(k).transpose(1, 2), v.transpose(1, 2)  # [B, K, T, C]
        if cache is not None:
            k, v = cache.extend(start, k, v)  # [B, K, start + T, C]
        if q.shape[2] == 1 and mask is None and self.window is not None and k.shape[2] > self.window:
            k, v = k[:, :, -self.window :], v[:, :, -self.window :]
        y = attend(q, k, v, mask, causal=True, kernel=self.kernel, window=self.window, weights=weights)
        return self.out(y.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def step_rows(self, x: Tensor, turn: Turn, mask: Tensor | None, layer: int, rows: Rows) -> Tensor:
        """The next tokens of each row, [R, T, D] -> [R, T, D]; `mask` [R, 1, T, S] is added to the scores."""
        batch, length, _ = x.shape
        qkv = self.qkv(x).view(batch, length, -1, self.head_dim)  # [R, T, H + 2 K, C]
        turned = turn(qkv[:, :, : self.heads + self.kv_heads])
        k, v = rows.write(layer, turned[:, :, self.heads :], qkv[:, :, self.heads + self.kv_heads :])  # [R, K, S, C]
        y = attend(turned[:, :, : self.heads].transpose(1, 2), k, v, mask, causal=False, kernel=self.kernel)
        return self.out(y.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class MLP(nn.Module):
    """The gated feed-forward part: down(act(gate x) * up x)."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.act = ACTIVATIONS[config.hidden_act]
        size = config.intermediate_size
        self.gate_up = Linear(config.hidden_size, size, size, bias=config.mlp_bias)
        self.down = Linear(size, config.hidden_size, bias=config.mlp_bias)

    def forward(self, x: Tensor) -> Tensor:
        """[..., D] -> [..., D]."""
        gate, up = each(self.gate_up, x)
        return self.down(self.act(gate) * up)  # type: ignore[no-any-return]


class Block(nn.Module):
    """One layer, pre-normalised."""

    def __init__(self, config: DecoderConfig, window: int | None, kernel: str) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.attention = Attention(config, window, kernel)
        self.mlp_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = MLP(config)

    def forward(
        self,
        x: Tensor,
        turn: Turn,
        mask: Tensor | None,
        start: int,
        cache: LayerCache | None,
        weights: list[Tensor] | None = None,
        wanted: Sequence[int] | None = None,
    ) -> Tensor:
        """[B, T, D] -> [B, T, D]; of the places `wanted` alone, [B, 1, D], though they look at all before them."""
        y = self.attention(self.attention_norm(x), turn, mask, start, cache, weights, wanted)
        x = chosen(x, wanted) + y
        del y
        return by_slices(self._feed_forward, x, self.mlp.gate_up)

    def _feed_forward(self, x: Tensor) -> Tensor:
        return x + self.mlp(self.mlp_norm(x))  # type: ignore[no-any-return]

    def step_rows(self, x: Tensor, turn: Turn, mask: Tensor | None, layer: int, rows: Rows) -> Tensor:
        """The next tokens of each row, [R, T, D] -> [R, T, D]."""
        return self._feed_forward(x + self.attention.step_rows(self.attention_norm(x), turn, mask, layer, rows))


class Decoder(nn.Module):
    """Token embedding, layers, final norm and head. A tied head is the embedding itself: `head` is then None.

    `devices` says where each layer computes; None: where everything else does, all its weights being there.
    """

    devices: tuple[torch.device, ...] | None = None

    def __init__(self, config: DecoderConfig, *, kernel: str = "sdpa") -> None:
        super().__init__()
        self.config, self.kernel = config, kernel
        self.settling = Settling()
        self.unrecorded: str | None = None  # why its steps cannot be recorded as a graph, where that was tried
        self.embedding = Linear(config.hidden_size, config.vocab_size, bias=False)
        self.blocks = nn.ModuleList(Block(config, window, kernel) for window in config.sliding_windows)
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.head = None if config.tie_word_embeddings else Linear(config.hidden_size, config.vocab_size, bias=False)

    def embed(self, ids: Tensor) -> Tensor:
        """[B, T] -> [B, T, D]."""
        return F.embedding(ids.to(self.embedding.weight.device), self.embedding.weight)

    def forward(
        self,
        x: Tensor,
        cache: KVCache | None = None,
        *,
        present: Tensor | None = None,
        positions: Tensor | None = None,
        trace: Trace | None = None,
        wanted: Sequence[int] | None = None,
    ) -> Tensor:
        """Embeddings [B, T, D] -> hidden states [B, T, D]; with a cache they follow what it holds, and join it.

        `present`, [B, S] over what the cache holds and T more, is false at padding, which nobody looks at.
        `positions` [B, T] replace those that the places in the sequence imply. Whoever wants one hidden state of each
        row says so by its place in x: `wanted` -> [B, 1, D], and the last layer computes no other. Neither `present`
        nor a trace goes with that.
        """
        length, start = x.shape[1], 0 if cache is None else cache.length
        if cache is not None:
            cache.reserve(start + length)
        turn = self._turn(x, cache, positions)
        masks = {
            window: visible(length, start + length, window, x.device, self.kernel)
            if present is None
            else visible_among(present, length, window)
            for window in set(self.config.sliding_windows)
        }
        last = len(self.blocks) - 1
        for index, block in enumerate(self.blocks):
            layer = None if cache is None else cache.layers[index]
            if self.devices is not None:
                x, turn, masks = carried(self.devices[index], x, turn, masks)
            if trace is not None:
                trace.hidden_states.append(x)
            weights = None if trace is None else trace.attentions
            window, ends = self.config.sliding_windows[index], wanted if index == last else None
            mask = masks[window] if ends is None else visible_from(ends, start, length, window, x.device)
            x = block(x, turn, mask, start, layer, weights, ends)
        if trace is not None:
            trace.hidden_states.append(self.norm(x.to(self.norm.weight.device)))
        if cache is not None:
            cache.length = start + length
        return x

    def _turn(self, x: Tensor, cache: KVCache | None, positions: Tensor | None) -> Turn:
        """The turn of `positions`, else of the places after those that the cache holds."""
        if positions is not None:
            return Rotary(self.config, int(positions.max()) + 1, x.device, x.dtype).at(positions)
        if cache is not None:
            return cache.rotary.turn(cache.length, cache.length + x.shape[1])
        return Rotary(self.config, x.shape[1], x.device, x.dtype).turn(0, x.shape[1])

    @cached_property
    def step_rows(self) -> Callable[[Tensor, Rows], Tensor]:
        """Append tokens to every row: ids [R, T] and the rows -> [R, T, V]. Made at first use, as `step`."""
        return RowsStep(self) if self.devices is None else self._step_rows

    def _step_rows(self, tokens: Tensor, rows: Rows) -> Tensor:
        """The same over several devices, and with layers whose weights come and go."""
        assert rows.rotary is not None
        new = tokens.shape[1]
        rows.reserve(new)
        turn = rows.rotary.at(rows.places(new))
        masks = {window: rows.visible(window, new) for window in set(self.config.sliding_windows)}
        x = self.embed(tokens)  # [R, T, D]
        for index, block in enumerate(cast("list[Block]", self.blocks)):
            if self.devices is not None:
                x, turn, masks = carried(self.devices[index], x, turn, masks)
            x = block.step_rows(x, turn, masks[self.config.sliding_windows[index]], index, rows)
        rows.advance(new)
        return self.logits(x)

    @cached_property
    def step(self) -> Callable[[Tensor, KVCache], Tensor]:
        """One more token for one row: [1, 1] and a cache -> [1, V]. Made at first use, once weights are in place."""
        return Step(self) if self.devices is None else self._step

    def _step(self, token: Tensor, cache: KVCache) -> Tensor:
        """The same over several devices, and with layers whose weights come and go."""
        return self.logits(self(self.embed(token), cache)[:, -1])

    def logits(self, x: Tensor) -> Tensor:
        """Hidden states [..., D] -> scores of the next token [..., V]."""
        x = self.norm(x.to(self.norm.weight.device))
        return (self.embedding if self.head is None else self.head)(x)  # type: ignore[no-any-return]


Masks = dict[int | None, Tensor | None]  # by window


def carried(device: torch.device, x: Tensor, turn: Turn, masks: Masks) -> tuple[Tensor, Turn, Masks]:
    """What the next layer gets, on its device."""
    if x.device == device:
        return x, turn, masks
    moved = {window: None if mask is None else mask.to(device) for window, mask in masks.items()}
    return x.to(device), turn.to(device), moved


def chosen(x: Tensor, places: Sequence[int] | None) -> Tensor:
    """One place of each row, [B, T, ...] -> [B, 1, ...]; x itself where all are wanted."""
    if places is None:
        return x
    rows = torch.arange(len(places), device=x.device)
    return x[rows, torch.tensor(places, device=x.device)][:, None]


def causal_loss(logits: Tensor, labels: Tensor, ignore_index: int = -100) -> Tensor:
    """Mean cross-entropy of each next token: logits [B, T, V], labels [B, T] not shifted; `ignore_index` counts not."""
    return F.cross_entropy(logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten(), ignore_index=ignore_index)
