"""Linear layers in bitsandbytes' two forms: LLM.int8, and blocks of 4-bit codes from a code book (NF4, FP4)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, Self

import torch
from torch import Tensor, nn

logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it warns on stderr, of every product anew

from bitsandbytes.autograd._functions import MatmulLtState, matmul, matmul_4bit  # noqa: E402
from bitsandbytes.functional import QuantState, int8_vectorwise_quant, quantize_4bit, quantize_blockwise  # noqa: E402

from llavacli_core.schemes import Scheme  # noqa: E402


def of(pieces: Iterable[Tensor], parts: tuple[int, ...], scheme: Scheme) -> Bnb8bit | Bnb4bit:
    """A matrix [out, in] as a layer without a bias, quantized on the device where it lies.

    It comes in `pieces` of some rows each, all but the last a multiple of 64: on a CPU bitsandbytes takes twenty bytes
    for each number that it quantizes.
    """
    if scheme.bits == 8:
        rows = [int8_vectorwise_quant(piece.to(torch.float16))[:2] for piece in pieces]
        codes, scale = (torch.cat(each) for each in zip(*rows, strict=True))
        return Bnb8bit(codes, scale, parts, scheme.threshold)
    code_book = scheme.name.removeprefix("bnb-")
    blocks = [quantize_4bit(piece, quant_type=code_book) for piece in pieces]
    first, absmax = blocks[0][1], torch.cat([each.absmax for _, each in blocks])
    offset = nested = None
    if scheme.nested:  # as quantize_4bit does with the scales of a whole matrix
        offset = absmax.mean()
        absmax, nested = quantize_blockwise(absmax - offset, blocksize=256)
    state = QuantState(
        absmax,
        shape=torch.Size((sum(each.shape[0] for _, each in blocks), first.shape[1])),
        code=first.code,
        blocksize=first.blocksize,
        quant_type=code_book,
        dtype=first.dtype,
        offset=offset,
        state2=nested,
    )
    compute = None if scheme.compute is None else getattr(torch, scheme.compute)
    return Bnb4bit(torch.cat([packed for packed, _ in blocks]), state, parts, compute)


class Bnb8bit(nn.Module):
    """y = x W^T + b, codes [out, in] and a scale [out] each; activations are quantized too, but for the outliers."""

    scheme = "bnb-8bit"

    def __init__(self, codes: Tensor, scale: Tensor, parts: tuple[int, ...], threshold: float) -> None:
        super().__init__()
        self.parts, self.threshold = parts, threshold
        self.bias: nn.Parameter | None = None
        self.register_buffer("codes", codes)
        self.register_buffer("scale", scale)

    codes: Tensor
    scale: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., out]."""
        state = MatmulLtState(CB=self.codes, SCB=self.scale)
        state.threshold, state.has_fp16_weights, state.is_training = self.threshold, False, False
        y: Tensor = matmul(x, self.codes, state=state)
        return y if self.bias is None else y.add_(self.bias)

    def row(self, x: Tensor) -> Tensor:
        """One row, [in] -> [out]."""
        return self(x[None])[0]  # type: ignore[no-any-return]


class Bnb4bit(nn.Module):
    """The same with `packed` codes; `state` is bitsandbytes' own account of their scales and their code book.

    Products are computed in the number format `compute`; None: that of the activations.
    """

    def __init__(
        self, packed: Tensor, state: QuantState, parts: tuple[int, ...], compute: torch.dtype | None = None
    ) -> None:
        super().__init__()
        self.parts, self.compute = parts, compute
        self.scheme = f"bnb-{state.quant_type}"
        self.bias: nn.Parameter | None = None
        self.register_buffer("packed", packed.view(-1, 1))
        self.state: Any = state
        for name, (holder, attribute) in self._beside().items():  # buffers, for a copy of the layer elsewhere has all
            self.register_buffer(name, getattr(holder, attribute))

    packed: Tensor

    @classmethod
    def stored(cls, packed: Tensor, beside: dict[str, Tensor], parts: tuple[int, ...], compute: torch.dtype) -> Self:
        """From the tensors that a checkpoint holds beside the packed codes, all on one device."""
        return cls(packed.view(torch.uint8), QuantState.from_dict(beside, packed.device), parts, compute)

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., out]."""
        dtype = self.compute or x.dtype
        bias = None if self.bias is None else self.bias.to(dtype)
        return matmul_4bit(x.to(dtype), self.packed.t(), self.state, bias=bias).to(x.dtype)  # type: ignore[no-any-return]

    def row(self, x: Tensor) -> Tensor:
        """One row, [in] -> [out]."""
        return self(x[None])[0]  # type: ignore[no-any-return]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move, as any module does; the scales go along."""
        super()._apply(fn, recurse)
        for name, (holder, attribute) in self._beside().items():
            setattr(holder, attribute, self.get_buffer(name))
        return self

    def _beside(self) -> dict[str, tuple[Any, str]]:
        """Where the state has its tensors: the scales, which may be quantized themselves, and the code books."""
        state, nested = self.state, self.state.state2
        beside = {"scales": (state, "absmax"), "code": (state, "code")}
        if nested is not None:
            beside |= {"offset": (state, "offset"), "nested": (nested, "absmax"), "nested_code": (nested, "code")}
        return beside
