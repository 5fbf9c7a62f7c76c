"""A linear layer that may be several of a checkpoint's matrices: stacked into one, or left where they are mapped."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from llavacli_core.nn.product import LARGE, blocked, blocks, product, release, row_product

FIRST_WORDS = 8  # tokens


class Linear(nn.Module):
    """y = x W^T + b. `parts` are the output sizes of the matrices that are stacked in W, in order."""

    mapped = False  # whether W is a view of a mapped file

    def __init__(self, in_features: int, *parts: int, bias: bool) -> None:
        super().__init__()
        self.parts = parts
        self.weight = nn.Parameter(torch.empty(sum(parts), in_features))
        self.bias = nn.Parameter(torch.empty(sum(parts))) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., sum(parts)]."""
        return product(x, self.weight, self.bias)

    def row(self, x: Tensor) -> Tensor:
        """One row, [in] -> [sum(parts)]."""
        return row_product(x, self.weight, self.bias)

    def block(self) -> None:
        """Put W into the order that the processor reads fastest, if it has one; nothing but products reads it then."""
        if (one := in_blocks([self.weight], mapped=self.mapped)) is not None:
            self.weight = one


class Apart(nn.Module):
    """The same product from matrices that lie apart, so that weights mapped from disk need not be copied together."""

    mapped = True

    def __init__(self, linear: Linear, weights: Sequence[Tensor]) -> None:
        super().__init__()
        self.parts = linear.parts
        self.weights = nn.ParameterList(nn.Parameter(weight, requires_grad=False) for weight in weights)
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., sum(parts)]."""
        if len(self.weights) == 1:
            return product(x, self.weights[0], self.bias)
        y = torch.cat([product(x, weight) for weight in self.weights], dim=-1)
        return y if self.bias is None else y.add_(self.bias)

    def row(self, x: Tensor) -> Tensor:
        """One row, [in] -> [sum(parts)]."""
        if len(self.weights) == 1:
            return row_product(x, self.weights[0], self.bias)
        y = torch.cat([row_product(x, weight) for weight in self.weights])
        return y if self.bias is None else y.add_(self.bias)

    def block(self) -> None:
        """As `Linear.block`; they become one matrix."""
        if (one := in_blocks(list(self.weights), mapped=self.mapped)) is not None:
            self.weights = nn.ParameterList([one])


class Joined(nn.Module):
    """Products of the same rows side by side, each in a form of its own: a stack whose parts are stored quantized."""

    def __init__(self, products: Sequence[nn.Module], parts: tuple[int, ...]) -> None:
        super().__init__()
        self.parts = parts
        self.products = nn.ModuleList(products)
        self.bias: nn.Parameter | None = None

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., sum(parts)]."""
        y = torch.cat([product(x) for product in self.products], dim=-1)
        return y if self.bias is None else y.add_(self.bias)

    def row(self, x: Tensor) -> Tensor:
        """One row, [in] -> [sum(parts)]."""
        y = torch.cat([product.row(x) for product in self.products])  # type: ignore[operator]
        return y if self.bias is None else y.add_(self.bias)


def in_blocks(weights: list[Tensor], *, mapped: bool) -> nn.Parameter | None:
    """Matrices that follow one another as a single one in blocks, or None where that gains nothing."""
    first = weights[0]
    if first.device.type != "cpu" or first.is_mkldnn or first.requires_grad or not blocks(first.dtype):
        return None
    if sum(weight.nbytes for weight in weights) < LARGE:
        return None
    one = nn.Parameter(blocked(first if len(weights) == 1 else torch.cat(weights)), requires_grad=False)
    for weight in weights if mapped else ():
        release(weight)
    return one


class Blocking:
    """Puts the matrices of a network's parts into the order that the processor reads fastest.

    It takes a while, so it is done when the first words are told, and not at all where only some are asked for.
    """

    def __init__(self, parts: Sequence[nn.Module] = ()) -> None:
        self._parts = parts
        self._left = FIRST_WORDS if parts else 0

    def tick(self) -> None:
        """One more token will be generated."""
        if self._left:
            self._left -= 1
            if not self._left:
                block(*self._parts)


def block(*modules: nn.Module) -> None:
    """Put every matrix in these modules into that order."""
    for layer in (layer for module in modules for layer in module.modules()):
        if isinstance(layer, Linear | Apart):
            layer.block()
