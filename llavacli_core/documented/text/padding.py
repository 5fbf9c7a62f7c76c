"""Rows of ids of different lengths -> a rectangle, filled up on the left or on the right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from llavacli_core.documented.batch import BatchFeature, Tensors
from llavacli_core.errors import BadOption

Padding = bool | Literal["longest", "max_length", "do_not_pad"]
NO_LIMIT = 10**30  # what files say that know none


def columns_in(given: Any) -> dict[str, list[Any]]:
    """`input_ids` and what else there is of several texts: from rows of ids, or from what one call or several gave."""
    if isinstance(given, Mapping):
        columns = dict(given)
    else:
        rows = [row if isinstance(row, Mapping) else {"input_ids": row} for row in given]
        columns = {name: [row[name] for row in rows] for name in (rows[0] if rows else {"input_ids": []})}
    return {name: [_listed(row) for row in _listed(column)] for name, column in columns.items()}


def _listed(value: Any) -> Any:
    """A tensor, or an array, as lists."""
    return value.tolist() if hasattr(value, "tolist") else value


def padded(
    rows: Sequence[Sequence[int]], *, length: int | None, side: str, pad_token_id: int | None
) -> tuple[list[list[int]], list[list[int]]]:
    """The rows and their attention masks, each as long as `length`; None leaves them as they are."""
    gaps = [0 if length is None else max(length - len(row), 0) for row in rows]
    if side not in ("left", "right"):
        raise BadOption(f"padding_side is left or right, not {side!r}")
    if any(gaps) and pad_token_id is None:
        raise BadOption("this tokenizer has no pad token", hint="tokenizer.pad_token = tokenizer.eos_token")
    fills = [[pad_token_id or 0] * gap for gap in gaps]
    nothing = [[0] * gap for gap in gaps]
    seen = [[1] * len(row) for row in rows]
    if side == "left":
        ids = [fill + list(row) for fill, row in zip(fills, rows, strict=True)]
        return ids, [blank + mask for blank, mask in zip(nothing, seen, strict=True)]
    ids = [list(row) + fill for fill, row in zip(fills, rows, strict=True)]
    return ids, [mask + blank for blank, mask in zip(nothing, seen, strict=True)]


def target_length(rows: Sequence[Sequence[int]], padding: Padding, max_length: int, multiple: int | None) -> int | None:
    """What rows are filled up to; None: nothing is filled up."""
    if padding in (False, "do_not_pad"):
        return None
    if padding == "max_length" and max_length >= NO_LIMIT:
        raise BadOption('padding="max_length" needs max_length')
    if padding not in (True, "longest", "max_length"):
        raise BadOption(f"padding={padding!r} is not known", hint='True, False, "longest" or "max_length"')
    longest = max((len(row) for row in rows), default=0)
    length = max_length if padding == "max_length" else longest
    return length if not multiple else -(-length // multiple) * multiple


def batch_of(
    ids: list[list[int]],
    masks: list[list[int]] | None,
    tensors: Tensors,
    *,
    types: bool,
    beside: Mapping[str, Any] | None = None,
) -> BatchFeature:
    """`input_ids` and, where wanted, `token_type_ids`, zero for a text, and `attention_mask`, as lists or tensors."""
    values = {"input_ids": ids, **(beside or {})}
    if types:
        values["token_type_ids"] = [[0] * len(row) for row in ids]
    if masks is not None:
        values["attention_mask"] = masks
    if tensors is not None and len({len(row) for row in ids}) > 1:
        raise BadOption("texts of different lengths cannot be one tensor", hint="padding=True")
    return BatchFeature(values, tensors)
