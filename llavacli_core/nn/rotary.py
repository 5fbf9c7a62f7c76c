"""Rotary positions (Su et al. 2021): each head's halves turned by an angle that grows with the position."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from llavacli_core.config import DecoderConfig, Rope


@dataclass(frozen=True)
class Turn:
    """The turn of some positions: cos and signed sin, [T, 1, C], to be called on [B, T, heads, C].

    With a position of its own for every row of a batch they are [B, T, 1, C].
    """

    cos: Tensor
    sin: Tensor  # negated in the first half, so that swapping the halves needs no minus of its own

    def __call__(self, x: Tensor) -> Tensor:
        """[B, T, heads, C] -> the same shape, turned."""
        return torch.addcmul(x * self.cos, x.roll(x.shape[-1] // 2, -1), self.sin)

    def to(self, device: torch.device) -> Turn:
        """The same on a device."""
        return Turn(self.cos.to(device), self.sin.to(device))


def frequencies_of(rope: Rope, head_dim: int, device: torch.device) -> Tensor:
    """What angles grow by from one position to the next, [C / 2], rounded as the reference rounds."""
    waves = rope.theta ** (torch.arange(0, head_dim, 2, dtype=torch.int64, device=device).float() / head_dim)
    plain = 1.0 / waves
    if rope.kind == "llama3":
        return _llama3(rope, plain)
    if rope.kind == "yarn":
        return _yarn(rope, waves)
    return plain / rope.factor


def _llama3(rope: Rope, plain: Tensor) -> Tensor:
    """Scaled by how often they turn within the trained positions."""
    lengths = 2 * math.pi / plain
    long = lengths > rope.trained / rope.slow
    scaled = torch.where(long, plain / rope.factor, plain)
    share = (rope.trained / lengths - rope.slow) / (rope.fast - rope.slow)
    blended = (1 - share) * scaled / rope.factor + share * scaled
    return torch.where(~(lengths < rope.trained / rope.fast) & ~long, blended, scaled)


def _yarn(rope: Rope, waves: Tensor) -> Tensor:
    """Scaled by a ramp over the frequencies' numbers."""
    count = len(waves)
    start, end = (
        2 * count * math.log(rope.trained / (turns * 2 * math.pi)) / (2 * math.log(rope.theta))
        for turns in (rope.fast, rope.slow)
    )
    if rope.whole:
        start, end = math.floor(start), math.ceil(end)
    start, end = max(start, 0), min(end, 2 * count - 1)
    ramp = (torch.arange(count, dtype=torch.float32) - start) / (end - start or 0.001)
    kept = 1 - ramp.clamp(0, 1).to(waves.device)
    return 1.0 / (rope.factor * waves) * (1 - kept) + 1.0 / waves * kept


class Rotary:
    """Turns for positions 0 .. `length` - 1, computed once in float32, as the reference does, and sliced."""

    def __init__(self, config: DecoderConfig, length: int, device: torch.device, dtype: torch.dtype) -> None:
        self.config = config
        frequencies = frequencies_of(config.rope, config.head_dim, device)
        angles = torch.outer(torch.arange(length, device=device).float(), frequencies)[:, None]  # [P, 1, C / 2]
        cos, sin = angles.cos() * config.rope.strength, angles.sin() * config.rope.strength
        self.cos = torch.cat((cos, cos), dim=-1).to(dtype)
        self.sin = torch.cat((-sin, sin), dim=-1).to(dtype)

    def turn(self, start: int, end: int) -> Turn:
        """The turn of positions start .. end - 1."""
        return Turn(self.cos[start:end], self.sin[start:end])

    def at(self, positions: Tensor) -> Turn:
        """The turn of the given positions, [B, T] on the device, to be called on [B, T, heads, C]."""
        return Turn(self.cos[positions], self.sin[positions])

    def longer(self, length: int) -> Rotary:
        """The same for `length` positions."""
        return Rotary(self.config, length, self.cos.device, self.cos.dtype)
