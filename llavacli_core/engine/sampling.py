"""Logits to the next token: penalties, then greedy or a draw, all on the device. Steps as in transformers' generate.

B batch  V vocabulary
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import torch
from torch import Tensor

from llavacli_core.engine.rules import Rules
from llavacli_core.engine.settled import Settled
from llavacli_core.options import Sampling


class Chooser:
    """Chooses one token after another of one answer; remembers what repetition counts against, and its seed."""

    def __init__(self, settled: Settled, prompt_ids: Sequence[int], logits: Tensor) -> None:
        """`logits` [1, V] are the first scores there will be: their size and device are those of all."""
        self.sampling = settled.sampling
        self.rules = Rules(settled, prompt_ids)
        self.seen: Tensor | None = None
        self.penalty = settled.repetition_penalty
        if self.penalty != 1.0:
            self.seen = seen_in([prompt_ids], logits)[0]
        self.generator = generator_of(self.sampling, logits.device)

    @property
    def takes_the_best(self) -> bool:
        """Whether the highest score is the choice, whatever was said before."""
        return self.seen is None and self.generator is None and not self.rules.bind

    @property
    def looks_back(self) -> bool:
        """Whether the host must know all that was said before it can choose."""
        return self.rules.bind

    def __call__(self, logits: Tensor, said: Sequence[int]) -> Tensor:
        """Logits [1, V] after the new ids `said` -> the next id, [1, 1], still on the device."""
        if self.seen is not None:
            logits = penalise(logits.float(), self.seen, self.penalty)
        if self.rules.bind:
            logits = self.rules(logits.float(), [said])
        if self.generator is None:
            chosen = best(logits)[..., None]
        else:
            chosen = torch.multinomial(probabilities(logits.float(), self.sampling), 1, generator=self.generator)
        if self.seen is not None:
            self.seen[chosen.flatten()] = True
        return chosen


def best(logits: Tensor) -> Tensor:
    """The id with the highest score, [..., V] -> [...]; of several such, the first.

    A CPU finds scores and places together in a third of the time that it takes for places alone (2.13).
    """
    return logits.max(-1).indices if logits.is_cpu else logits.argmax(-1)


def generator_of(sampling: Sampling, device: torch.device) -> torch.Generator | None:
    """Where random numbers come from; None for greedy decoding."""
    if sampling.temperature == 0:
        return None
    return torch.Generator(device).manual_seed(secrets.randbits(63) if sampling.seed is None else sampling.seed)


def seen_in(ids: Sequence[Sequence[int]], like: Tensor) -> Tensor:
    """Which ids occur in each of some texts, [R, V], for scores `like` [..., V]."""
    seen = torch.zeros(len(ids), like.shape[-1], dtype=torch.bool, device=like.device)
    for row, text in enumerate(ids):
        seen[row, torch.tensor(text, dtype=torch.int64, device=like.device)] = True
    return seen


def penalise(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Make tokens that were `seen` [..., V] less likely by `penalty` (Keskar et al. 2019)."""
    return torch.where(seen, torch.where(logits < 0, logits * penalty, logits / penalty), logits)


def probabilities(logits: Tensor, sampling: Sampling) -> Tensor:
    """Logits [B, V] -> the distribution to draw from."""
    return narrowed(logits, sampling).softmax(-1)


def narrowed(logits: Tensor, sampling: Sampling, at_least: int = 1) -> Tensor:
    """Logits [B, V] with what must not be drawn at -inf: temperature, then top-k, top-p and min-p, in this order.

    Each of these leaves `at_least` so many.
    """
    logits = logits / sampling.temperature
    count = logits.shape[-1]
    if sampling.top_k is not None and sampling.top_k < count:
        least = logits.topk(min(max(sampling.top_k, at_least), count)).values[..., -1:]
        logits = logits.masked_fill(logits < least, float("-inf"))
    if sampling.top_p is not None and sampling.top_p < 1:
        ascending, order = logits.sort(descending=False)
        drop = ascending.softmax(-1).cumsum(-1) <= 1 - sampling.top_p
        drop[..., -at_least:] = False
        logits = logits.masked_fill(drop.scatter(-1, order, drop), float("-inf"))
    if sampling.min_p is not None:
        chances = logits.softmax(-1)
        drop = chances < sampling.min_p * chances.amax(-1, keepdim=True)
        drop.scatter_(-1, chances.topk(min(at_least, count)).indices, value=False)
        logits = logits.masked_fill(drop, float("-inf"))
    return logits
