"""Rotary positions (Su et al. 2021): each head's halves turned by an angle that grows with the position."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from llavacli_core.config import DecoderConfig


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


class Rotary:
    """Turns for positions 0 .. `length` - 1, computed once in float32, as the reference does, and sliced."""

    def __init__(self, config: DecoderConfig, length: int, device: torch.device, dtype: torch.dtype) -> None:
        self.config = config
        exponents = torch.arange(0, config.head_dim, 2, dtype=torch.int64, device=device).float() / config.head_dim
        frequencies = 1.0 / (config.rope_theta**exponents) / config.rope_factor
        angles = torch.outer(torch.arange(length, device=device).float(), frequencies)[:, None]  # [P, 1, C / 2]
        cos, sin = angles.cos(), angles.sin()
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
