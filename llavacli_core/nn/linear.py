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
        products = self.products(x)
        return products[0] if len(products) == 1 else torch.cat(products, dim=-1)

    def products(self, x: Tensor) -> list[Tensor]:
        """That of each matrix, [..., in] -> [..., part]; once they have settled, that of all in one."""
        weights = list(self.weights)  # taken once: they may settle meanwhile, in another thread
        if len(weights) == 1 or self.bias is None:
            return [product(x, weight, self.bias) for weight in weights]
        biases = self.bias.split(self.parts)
        return [product(x, weight, bias) for weight, bias in zip(weights, biases, strict=True)]

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
    products = linear.products(x) if isinstance(linear, Apart) else [linear(x)]
    return products if len(products) > 1 else products[0].split(linear.parts, dim=-1)
