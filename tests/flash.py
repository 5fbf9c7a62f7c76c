"""flash-attn as its documentation has it, for machines without it: signature, layout and alignment, in torch."""

from __future__ import annotations

import sys
from types import ModuleType

import torch
from torch import Tensor


def flash_attn_func(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    dropout_p: float = 0.0,
    softmax_scale: float | None = None,
    causal: bool = False,
    window_size: tuple[int, int] = (-1, -1),  # keys to the left and to the right; -1: all of them
) -> Tensor:
    """[B, T, H, C], [B, S, K, C] twice -> [B, T, H, C]; the last query stands at the last key.

    Refused is what the kernel refuses. Its number formats are not held to, so that tests can be exact.
    """
    (batch, queries, heads, size), (_, keys, kv_heads, _) = q.shape, k.shape
    assert k.shape == v.shape == (batch, keys, kv_heads, size)
    assert heads % kv_heads == 0
    assert size <= 256
    assert q.dtype == k.dtype == v.dtype
    assert not dropout_p
    q, k, v = (each if each.stride(-1) == 1 else each.contiguous() for each in (q, k, v))
    k, v = k.repeat_interleave(heads // kv_heads, 2), v.repeat_interleave(heads // kv_heads, 2)
    scores = torch.einsum("bthc,bshc->bhts", q, k) * (size**-0.5 if softmax_scale is None else softmax_scale)
    left, right = window_size[0], 0 if causal else window_size[1]
    beyond = torch.arange(keys) - (torch.arange(queries)[:, None] + keys - queries)  # [T, S], of a query's own key
    hidden = torch.zeros(queries, keys, dtype=torch.bool)
    if left >= 0:
        hidden |= beyond < -left
    if right >= 0:
        hidden |= beyond > right
    return torch.einsum("bhts,bshc->bthc", scores.masked_fill(hidden, -torch.inf).softmax(-1), v)


class StandIn(ModuleType):
    """The module `flash_attn`, which counts how often it was called."""

    def __init__(self) -> None:
        super().__init__("flash_attn")
        self.calls = 0

    def flash_attn_func(self, *args, **options):
        self.calls += 1
        return flash_attn_func(*args, **options)


def install(monkeypatch) -> StandIn:
    """Let `import flash_attn` find the stand-in."""
    stand_in = StandIn()
    monkeypatch.setitem(sys.modules, "flash_attn", stand_in)
    return stand_in
