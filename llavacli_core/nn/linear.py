"""A linear layer that may be several of a checkpoint's matrices: stacked into one, or left where they are mapped."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from llavacli_core.nn.product import product, row_product


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


def each(linear: nn.Module, x: Tensor) -> Sequence[Tensor]:
    """The product of every matrix that is stacked in a layer, [..., in] -> [..., part]; those apart are left so."""
    # The list is taken once: they may settle meanwhile, in another thread.
    if not isinstance(linear, Apart) or len(weights := list(linear.weights)) < 2:
        return linear(x).split(linear.parts, dim=-1)  # type: ignore[no-any-return]
    biases = (None,) * len(weights) if linear.bias is None else linear.bias.split(linear.parts)
    return [product(x, weight, bias) for weight, bias in zip(weights, biases, strict=True)]
