"""Linear layers of whole numbers, 8 or 4 bits wide, for CPUs: torch's weight-only kernels, and widening for many rows.

The kernels are fast in bfloat16 alone, whatever the network computes in, and read the weights once for a few rows. For
many rows it is cheaper to widen the weights, some outputs at a time, and multiply in the format the CPU is best at.

M rows  G inputs of a group
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

AT_ONCE = 2**20  # weights widened at a time
BLOCKS = (16, 32, 64)  # outputs that the int4 kernels of various CPUs lay side by side
TRIED = 32  # inputs of the matrices that the layout is learned from


class Packed(nn.Module):
    """y = x W^T + b, W being held in whole numbers; `scheme` is the name records give to how."""

    scheme: str
    few: int  # rows up to which the kernel is faster than widening (2.13, AVX2)

    def __init__(self, parts: tuple[int, ...], wide: torch.dtype) -> None:
        super().__init__()
        self.parts = parts
        self.wide = wide  # what weights are widened to
        self.bias: nn.Parameter | None = None

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., out]."""
        rows = x.reshape(-1, x.shape[-1])
        y = self.kernel(rows.to(torch.bfloat16)) if len(rows) <= self.few else self.widened(rows.to(self.wide))
        y = y.to(x.dtype).view(*x.shape[:-1], -1)
        return y if self.bias is None else y.add_(self.bias)

    def row(self, x: Tensor) -> Tensor:
        """One row, [in] -> [out]."""
        y = self.kernel(x[None].to(torch.bfloat16))[0].to(x.dtype)
        return y if self.bias is None else y.add_(self.bias)

    def kernel(self, x: Tensor) -> Tensor:
        """torch's: [M, in] -> [M, out], both bfloat16, without the bias."""
        raise NotImplementedError

    def widened(self, x: Tensor) -> Tensor:
        """The same with the weights widened to x's format."""
        raise NotImplementedError


class Int8(Packed):
    """`codes` [out, in] times a `scale` [out] (bfloat16) each."""

    scheme = "int8"
    few = 32

    def __init__(self, codes: Tensor, scale: Tensor, parts: tuple[int, ...], wide: torch.dtype) -> None:
        super().__init__(parts, wide)
        self.register_buffer("codes", codes)
        self.register_buffer("scale", scale)

    codes: Tensor
    scale: Tensor

    def kernel(self, x: Tensor) -> Tensor:
        """[M, in] -> [M, out]."""
        return torch._weight_int8pack_mm(x, self.codes, self.scale)

    def widened(self, x: Tensor) -> Tensor:
        """[M, in] -> [M, out]."""
        out, inputs = self.codes.shape
        y = x.new_empty(len(x), out)
        step = max(1, AT_ONCE // inputs)
        buffer = x.new_empty(step, inputs)
        for start in range(0, out, step):
            codes = self.codes[start : start + step]
            torch.mm(x, buffer[: len(codes)].copy_(codes).T, out=y[:, start : start + step])
        return y.mul_(self.scale)


class Int4(Packed):
    """Codes of 4 bits, packed as the CPU's kernel wants them; each group of inputs has a scale and a zero.

    `packed` is [out, in / 2] bytes, `scales` [in / G, out, 2] bfloat16: a weight is (code - 8) * scale + zero.
    """

    scheme = "int4"
    few = 64

    def __init__(self, packed: Tensor, scales: Tensor, parts: tuple[int, ...], wide: torch.dtype) -> None:
        super().__init__(parts, wide)
        self.register_buffer("packed", packed)
        self.register_buffer("scales", scales)
        self.inputs = 2 * packed.shape[1]
        self.group = self.inputs // scales.shape[0]

    packed: Tensor
    scales: Tensor

    def kernel(self, x: Tensor) -> Tensor:
        """[M, in] -> [M, out]."""
        return torch._weight_int4pack_mm_for_cpu(x, self.packed, self.group, self.scales)

    def widened(self, x: Tensor) -> Tensor:
        """[M, in] -> [M, out], some blocks of outputs at a time, in the order in which they lie packed."""
        out, block = self.packed.shape[0], block_size()
        whole = out - out % block
        y = x.new_empty(len(x), out)
        sums = x.view(len(x), -1, self.group).sum(-1)  # [M, in / G]: what zeros are multiplied with
        step = max(1, AT_ONCE // (self.inputs * block)) * block
        for start in range(0, whole, step):
            self._blocks(x, sums, start, min(start + step, whole), block, y)
        if whole < out:
            self._blocks(x, sums, whole, out, out - whole, y)
        return y

    def _blocks(self, x: Tensor, sums: Tensor, start: int, stop: int, block: int, y: Tensor) -> None:
        """Outputs `start` to `stop` of y, which are whole blocks of `block`."""
        codes = self.packed[start:stop].view(-1, self.inputs, block // 2).transpose(0, 1).reshape(self.inputs, -1)
        firsts = torch.arange(start, stop, block)[:, None]
        for half, order in zip((codes & 15, codes >> 4), order_in(block), strict=True):
            outputs = (firsts + order).flatten()  # which output each column is
            scale, zero = (
                self.scales.index_select(1, outputs).permute(2, 0, 1).to(x.dtype).contiguous()
            )  # [in / G, columns]
            wide = half.sub_(8).view(torch.int8).to(x.dtype).view(-1, self.group, len(outputs)).mul_(scale[:, None])
            y.index_copy_(1, outputs, torch.addmm(sums @ zero, x, wide.view(self.inputs, -1)))


@cache
def block_size() -> int:
    """How many outputs this CPU's int4 kernel lays side by side."""
    lower, upper = order_in(max(BLOCKS))
    sides = {size: torch.cat((lower[: size // 2], upper[: size // 2])).sort().values for size in BLOCKS}
    return next(size for size, outputs in sides.items() if outputs.equal(torch.arange(size)))


@cache
def order_in(outputs: int) -> tuple[Tensor, Tensor]:
    """Whose codes lie in the first bytes of a packed matrix of so many outputs: lower and upper halves, [outputs / 2].

    Learned by packing the outputs' own numbers, digit by digit.
    """
    numbers = torch.arange(outputs, dtype=torch.int32)[:, None].expand(-1, TRIED)
    ones, sixteens = (
        torch._convert_weight_to_int4pack_for_cpu(digit.contiguous(), 1).flatten()[: outputs // 2].long()
        for digit in (numbers % 16, numbers // 16)
    )
    return (ones & 15) + 16 * (sixteens & 15), (ones >> 4) + 16 * (sixteens >> 4)


@cache
def kernels_work(scheme: str) -> bool:
    """Whether this torch has the kernels of "int8" or "int4", and they and the layout are what is believed of them."""
    generator = torch.Generator().manual_seed(0)
    outputs, inputs, group = 2 * max(BLOCKS) + 16, 64, 32
    codes = torch.randint(0, 16, (outputs, inputs), generator=generator, dtype=torch.int32)
    scales = torch.rand(inputs // group, outputs, 2, generator=generator).to(torch.bfloat16)
    x = torch.rand(3, inputs, generator=generator).to(torch.bfloat16).float()
    try:
        layer: Packed
        if scheme == "int8":
            layer = Int8(codes.to(torch.int8), scales[0, :, 0].clone(), (outputs,), torch.float32)
            expected = x @ (codes * scales[0, :, 0, None].float()).T
        else:
            packed = torch._convert_weight_to_int4pack_for_cpu(codes, 1)
            layer = Int4(packed, scales, (outputs,), torch.float32)
            scale, zero = scales.float().repeat_interleave(group, 0).unbind(-1)  # [in, out] each
            expected = x @ ((codes.T - 8) * scale + zero)
        near = 0.02 * float(expected.abs().max())
        return bool(
            torch.allclose(layer.kernel(x.to(torch.bfloat16)).float(), expected, rtol=0.02, atol=near)
            and torch.allclose(layer.widened(x), expected, rtol=1e-4, atol=1e-4)
        )
    except (AttributeError, RuntimeError, StopIteration):
        return False
