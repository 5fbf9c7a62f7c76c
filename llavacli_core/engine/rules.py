"""Rules that a checkpoint lays down for its answers, applied to scores. Order and arithmetic as in transformers.

R rows  V vocabulary
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from llavacli_core.engine.settled import Settled


class Rules:
    """No n-gram twice, no end before the least length, a forced first or last id, ids that are never said."""

    def __init__(self, settled: Settled, prompt_ids: Sequence[int]) -> None:
        self.settled = settled
        self.prompt = list(prompt_ids)
        self.bind = bool(  # most checkpoints have no rules, and their scores are not touched
            settled.no_repeat_ngram_size
            or settled.min_tokens
            or settled.forced_first is not None
            or settled.forced_last
            or settled.suppressed
            or settled.suppressed_first
        )

    def __call__(self, scores: Tensor, said: Sequence[Sequence[int]]) -> Tensor:
        """Scores [R, V] of rows that have said as many new ids each -> scores under the rules."""
        settled, length = self.settled, len(said[0])
        free = 0 if settled.forced_first is None else 1
        silent = (*settled.suppressed, *(settled.suppressed_first if length == free else ()))
        if settled.forced_last and length == settled.limit - 1:
            return only(scores, known(settled.forced_last, scores))
        if settled.forced_first is not None and length == 0:
            return only(scores, known((settled.forced_first,), scores))
        if settled.no_repeat_ngram_size:
            scores = scores.clone()
            for row, ids in enumerate(said):
                scores[row, repeats(self.prompt + list(ids), settled.no_repeat_ngram_size)] = float("-inf")
        if length < settled.min_tokens:
            silent += settled.stop_ids
        silent = known(silent, scores)
        if silent:
            scores = scores.clone()
            scores[:, list(silent)] = float("-inf")
        return scores


def known(ids: Sequence[int], scores: Tensor) -> tuple[int, ...]:
    """The ids that there are scores [R, V] of; files name others, too."""
    return tuple(token_id for token_id in ids if 0 <= token_id < scores.shape[-1])


def only(scores: Tensor, ids: Sequence[int]) -> Tensor:
    """Scores that leave no other choice than `ids`, if there are any."""
    if not ids:
        return scores
    forced = torch.full_like(scores, float("-inf"))
    forced[:, list(ids)] = 0
    return forced


def repeats(ids: Sequence[int], size: int) -> list[int]:
    """The ids that would end an n-gram of `size` that is among `ids` already."""
    if len(ids) + 1 < size:
        return []
    followers: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for start in range(len(ids) - size + 1):
        *head, last = ids[start : start + size]
        followers[tuple(head)].append(last)
    return followers[tuple(ids[len(ids) + 1 - size :])]
