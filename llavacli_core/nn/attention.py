"""Attention itself: who may look at whom, and the kernel that does the looking.

B batch  T queries  S keys  H heads  K key-value heads  C head dim
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from llavacli_core.nn.product import has_amx, widens

DECODED = 16  # queries of each row at most, where decoding asks
# torch's CPU kernel scores keys by 512, also those that causality hides. With SLICE queries at a time, and their keys
# alone, 150 to 400 positions take a quarter less, 1,024 up to a tenth, 1,500 no less (2.13, 14 and 32 heads).
SLICE = 64
SLICED = range(2 * SLICE, 1024 + 1)  # positions


def visible(queries: int, keys: int, window: int | None, device: torch.device, kernel: str) -> Tensor | None:
    """Which keys the last `queries` of `keys` positions may see, [T, S]; None where `attend` needs no mask for that.

    Plain causality is known to every kernel; flash knows what came before the queries, and windows, too.
    """
    if kernel == "flash" or queries == 1 or (queries == keys and (window is None or keys <= window)):
        return None
    distance = torch.arange(keys - queries, keys, device=device)[:, None] - torch.arange(keys, device=device)
    mask = distance >= 0
    return mask if window is None else mask & (distance < window)


def visible_from(
    places: Sequence[int], start: int, length: int, window: int | None, device: torch.device
) -> Tensor | None:
    """Which of start + length keys one query of each row may see, `places[row]` behind the start: [B, 1, 1, S].

    None where every query is the last position: it sees all, or the window that `attend`'s caller leaves of them.
    """
    if min(places) == length - 1:
        return None
    positions = torch.tensor(places, device=device)[:, None] + start
    return ~hidden(positions - torch.arange(start + length, device=device), window)[:, None, None]


def visible_among(present: Tensor, queries: int, window: int | None) -> Tensor:
    """Which keys the last `queries` positions may see where some are padding: [B, S] true at tokens -> [B, 1, T, S].

    Padding on the left sees nothing. `attend` makes of that what transformers does: zeros by sdpa, the mean of all
    values by its eager attention. It counts where a label stands right behind the padding.
    """
    keys = present.shape[1]
    places = torch.arange(keys, device=present.device)
    return ~hidden(places[keys - queries :, None] - places, window) & present.bool()[:, None, None]


def hidden(distance: Tensor, window: int | None) -> Tensor:
    """Whether a query sees nothing of keys so far behind it: those ahead, and those out of a sliding window."""
    return distance < 0 if window is None else (distance < 0) | (distance >= window)


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    *,
    causal: bool,
    kernel: str,
    window: int | None = None,
    weights: list[Tensor] | None = None,
) -> Tensor:
    """[B, H, T, C], [B, K, S, C] twice -> [B, H, T, C]. `causal` counts only without a mask.

    `mask` is true where a query may look, or added to the scores; it broadcasts to [B, H, T, S]. Flash knows no masks
    and leaves those calls to sdpa; without one, its queries are the last of the keys' positions, and look no further
    back than `window`, which for the others is in the mask. A list given as `weights` gets the attention weights
    [B, H, T, S] appended.
    """
    heads, length, kv_heads = query.shape[1], query.shape[2], key.shape[1]
    if kernel == "flash" and mask is None and weights is None:
        return _flash(query, key, value, causal=causal, window=window)
    per_head = mask is not None and mask.shape[1] != 1
    few = length == 1 or (mask is not None and mask.dim() == 4 and mask.shape[2] == length <= DECODED)
    if few and heads != kv_heads and weights is None and not per_head:
        # Decoding: the heads of a group become its queries, so that keys and values are never repeated.
        groups = heads // kv_heads
        grouped = query.reshape(query.shape[0], kv_heads, groups * length, -1)
        mask = mask.repeat(1, 1, groups, 1) if mask is not None and length > 1 else mask
        return attend(grouped, key, value, mask, causal=False, kernel=kernel).reshape(query.shape)
    causal = causal and mask is None and length > 1
    if kernel == "eager" or weights is not None:
        return _eager(query, key, value, mask, causal=causal, kept=weights)
    if length == 1 and query.device.type == "cpu" and query.dtype == torch.bfloat16:
        # torch's CPU kernel takes two queries in half the time of one (2.13: 2.3 against 4.6 ms for 32 heads of 640).
        twice = query.expand(-1, -1, 2, -1)
        return F.scaled_dot_product_attention(twice, key, value, attn_mask=mask)[:, :, :1]
    if widens(query, length):
        mask = mask if mask is None or mask.dtype == torch.bool else mask.float()
        return attend(query.float(), key.float(), value.float(), mask, causal=causal, kernel=kernel).to(query.dtype)
    sliced = causal and query.device.type == "cpu" and length in SLICED and not has_amx(query.dtype)
    if sliced and len(query) * heads > torch.get_num_threads():
        return _in_slices(query, key, value)
    return F.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=causal, enable_gqa=heads != kv_heads
    )


def _in_slices(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Causal attention, some queries at a time, each slice with no keys behind its last query."""
    slices = []
    for start in range(0, query.shape[2], SLICE):
        queries = query[:, :, start : start + SLICE]
        end = start + queries.shape[2]
        hidden = torch.full((end - start, end), float("-inf"), dtype=query.dtype).triu_(start + 1)
        y = F.scaled_dot_product_attention(
            queries, key[:, :, :end], value[:, :, :end], attn_mask=hidden, enable_gqa=query.shape[1] != key.shape[1]
        )
        slices.append(y.transpose(1, 2))  # as the kernel leaves it in memory, and as who asked wants it
    return torch.cat(slices, dim=1).transpose(1, 2)


def _flash(query: Tensor, key: Tensor, value: Tensor, *, causal: bool, window: int | None) -> Tensor:
    """By Dao's kernel, which has positions before heads, repeats no keys, and aligns causality to the last key."""
    from flash_attn import flash_attn_func

    q, k, v = (each.transpose(1, 2) for each in (query, key, value))
    back = (-1, -1) if window is None else (window - 1, 0)  # keys to the left and right of a query's own
    y: Tensor = flash_attn_func(q, k, v, causal=causal and q.shape[1] > 1, window_size=back)
    return y.transpose(1, 2)


def _eager(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, *, causal: bool, kept: list[Tensor] | None
) -> Tensor:
    """The textbook's three steps; the weights are summed up in float32, as the reference's eager attention does."""
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5  # [B, H, T, S]
    if causal:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min) if mask.dtype == torch.bool else scores + mask
    weights: Tensor = scores.softmax(-1, dtype=torch.float32).to(query.dtype)
    if kept is not None:
        kept.append(weights)
    return weights @ value
