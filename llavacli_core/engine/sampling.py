"""Logits to the next token: penalties, then greedy or a draw, all on the device. Steps as in transformers' generate.

B batch  V vocabulary
"""

from __future__ import annotations

import secrets

import torch
from torch import Tensor

from llavacli_core.options import Sampling


class Chooser:
    """Chooses one token after another of one answer; remembers what repetition counts against, and its seed."""

    def __init__(self, sampling: Sampling, prompt_ids: Tensor, vocab_size: int) -> None:
        self.sampling = sampling
        self.seen: Tensor | None = None
        if sampling.repetition_penalty != 1.0:
            self.seen = torch.zeros(vocab_size, dtype=torch.bool, device=prompt_ids.device)
            self.seen[prompt_ids.flatten()] = True
        self.generator: torch.Generator | None = None
        if sampling.temperature > 0:
            seed = secrets.randbits(63) if sampling.seed is None else sampling.seed
            self.generator = torch.Generator(prompt_ids.device).manual_seed(seed)

    def __call__(self, logits: Tensor) -> Tensor:
        """Logits [1, V] -> the next id, [1, 1], still on the device."""
        if self.seen is not None:
            logits = penalise(logits.float(), self.seen, self.sampling.repetition_penalty)
        if self.generator is None:
            chosen = logits.argmax(-1, keepdim=True)
        else:
            chosen = torch.multinomial(probabilities(logits.float(), self.sampling), 1, generator=self.generator)
        if self.seen is not None:
            self.seen[chosen.flatten()] = True
        return chosen


def penalise(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Make tokens that were `seen` [V] less likely by `penalty` (Keskar et al. 2019)."""
    return torch.where(seen, torch.where(logits < 0, logits * penalty, logits / penalty), logits)


def probabilities(logits: Tensor, sampling: Sampling) -> Tensor:
    """Logits [B, V] -> the distribution to draw from: temperature, then top-k, top-p and min-p, in this order."""
    logits = logits / sampling.temperature
    if sampling.top_k is not None and sampling.top_k < logits.shape[-1]:
        least = logits.topk(sampling.top_k).values[..., -1:]
        logits = logits.masked_fill(logits < least, float("-inf"))
    if sampling.top_p is not None and sampling.top_p < 1:
        ascending, order = logits.sort(descending=False)
        drop = ascending.softmax(-1).cumsum(-1) <= 1 - sampling.top_p
        drop[..., -1] = False  # the likeliest always stays
        logits = logits.masked_fill(drop.scatter(-1, order, drop), float("-inf"))
    if sampling.min_p is not None:
        chances = logits.softmax(-1)
        drop = chances < sampling.min_p * chances.amax(-1, keepdim=True)
        logits = logits.masked_fill(drop, float("-inf"))
    return logits.softmax(-1)
