"""A linear layer read and quantized: for CPUs some rows at a time, so that no whole matrix is ever wide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from llavacli_core.checkpoint.host import computes_bfloat16
from llavacli_core.checkpoint.reader import Reader, copied
from llavacli_core.checkpoint.rounding import to_int4, to_int8
from llavacli_core.checkpoint.stored import Stored
from llavacli_core.errors import BadOption
from llavacli_core.nn.guests import Guest
from llavacli_core.nn.linear import Linear
from llavacli_core.nn.packed import Int4, Int8, Packed, kernels_work
from llavacli_core.schemes import BNB_8BIT, INT8, Scheme, group_size, quantizes, scheme_for

AT_ONCE = 2**18  # numbers that are quantized at a time: as many as a cache holds
ROWS = 64  # and of rows a multiple of this, the largest block of an int4 kernel


def check_quantization(quantize: str | Scheme | None, device: torch.device, tensors: Iterable[Stored]) -> None:
    """Raises BadOption where what is asked for, or what the checkpoint is stored in, cannot be computed here."""
    scheme = scheme_for(quantize, device.type)
    stored = next((tensor.format for tensor in tensors if tensor.quantized), None)
    if stored is not None:
        if scheme is not None and scheme.bits != (8 if stored == BNB_8BIT.name else 4):
            raise BadOption(f"the checkpoint is stored quantized already ({stored})", hint="leave --quant out")
        scheme_for("bnb-8bit", device.type)  # whether bitsandbytes computes there at all
        check_bitsandbytes(f"the checkpoint is stored in bitsandbytes' form ({stored})")
    elif scheme is None:
        return
    elif scheme.bitsandbytes:
        check_bitsandbytes(f"{scheme.bits}-bit weights" + ("" if device.type == "cpu" else f" on {device.type}"))
    elif not kernels_work(scheme.name):
        raise BadOption(
            f"torch {torch.__version__} has no working {scheme.name} kernels for this processor",
            hint=f"--quant bnb-{scheme.bits}bit, or none",
        )


def check_bitsandbytes(what: str) -> None:
    """Raises BadOption where it is not installed."""
    if find_spec("bitsandbytes") is None:
        raise BadOption(f"{what}: bitsandbytes is not installed", hint="pip install bitsandbytes")


def scheme_of(name: str, module: Linear, sources: Sequence[Stored], scheme: Scheme | None) -> Scheme | None:
    """The scheme that this layer's weight, by our name and those of its tensors, is to be held in; None: as it is."""
    if scheme is None or not quantizes(name) or not scheme.takes(*module.weight.shape):
        return None
    return None if any(scheme.keeps(source.name) for source in sources) else scheme


def quantized(
    module: Linear, sources: list[Stored], reader: Reader, device: torch.device, dtype: torch.dtype, scheme: Scheme
) -> nn.Module:
    """A layer that takes the place of `module` (on the meta device), its weight quantized; the bias is left to fill."""
    if scheme.bitsandbytes:
        from llavacli_core.nn import bnb

        pieces: Iterable[Tensor]
        if device.type == "cpu":
            pieces = (rows.to(dtype) for _, rows in slices(sources, reader, module.weight.shape[1]))
        else:
            pieces = [copied(module.weight, sources, reader, device, dtype)]
        layer: Packed | bnb.Bnb8bit | bnb.Bnb4bit = bnb.of(pieces, module.parts, scheme)
    else:
        wide = torch.bfloat16 if dtype == torch.bfloat16 and computes_bfloat16() else torch.float32
        layer = (_int8 if scheme == INT8 else _int4)(module, sources, reader, wide)
    layer.bias = module.bias
    return layer


def _int8(module: Linear, sources: list[Stored], reader: Reader, wide: torch.dtype) -> Int8:
    out, inputs = module.weight.shape
    codes, scale = torch.empty(out, inputs, dtype=torch.int8), torch.empty(out, dtype=torch.bfloat16)
    for start, weight in slices(sources, reader, inputs):
        span = slice(start, start + len(weight))
        codes[span], scale[span] = to_int8(weight)
    return Int8(codes, scale, module.parts, wide)


def _int4(module: Linear, sources: list[Stored], reader: Reader, wide: torch.dtype) -> Int4:
    out, inputs = module.weight.shape
    group = group_size(inputs)
    assert group is not None
    packed, scales = torch.empty(out, inputs // 2, dtype=torch.uint8), torch.empty(inputs // group, out, 2).bfloat16()
    for start, weight in slices(sources, reader, inputs):
        span = slice(start, start + len(weight))
        codes, fitted = to_int4(weight, group)
        packed[span] = torch._convert_weight_to_int4pack_for_cpu(codes, 1)
        scales[:, span] = fitted.transpose(0, 1)
    return Int4(packed, scales, module.parts, wide)


def slices(sources: list[Stored], reader: Reader, inputs: int) -> Iterator[tuple[int, Tensor]]:
    """The rows of a stack of matrices in float32, some at a time, each time with the number of the first."""
    step = max(1, AT_ONCE // inputs // ROWS) * ROWS
    total = sum(source.shape[0] for source in sources)
    for start in range(0, total, step):
        weight = torch.empty(min(step, total - start), inputs)
        above = 0
        for source in sources:
            first, last = max(start, above), min(start + len(weight), above + source.shape[0])
            if first < last:
                reader.copy(source, weight[first - start : last - start], first - above)
            above += source.shape[0]
        yield start, weight


def quantization(network: nn.Module) -> str:
    """What records say of a network: the schemes of its layers, of those that come and go too, or "none"."""
    schemes = {str(module.scheme) for module in network.modules() if hasattr(module, "scheme")}
    schemes |= {scheme for module in network.modules() if isinstance(module, Guest) for scheme in module.schemes}
    return "+".join(sorted(schemes)) or "none"
