"""Matrices that a checkpoint holds quantized already, in the forms that bitsandbytes gives them; they are taken as is.

In 8 bits, `X.weight` (int8) has its scales in `X.SCB`. In 4 bits, `X.weight` is packed bytes, and `X.weight.absmax`,
`.quant_map` and (scales quantized, too) `.nested_absmax`, `.nested_quant_map` lie beside it, with what is no tensor as
JSON in `X.weight.quant_state.bitsandbytes__nf4` or `__fp4`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from llavacli_core.checkpoint.reader import Reader, copied
from llavacli_core.checkpoint.stored import Stored
from llavacli_core.errors import BrokenModel
from llavacli_core.nn.linear import Joined, Linear
from llavacli_core.schemes import Arithmetic

STATE = "quant_state.bitsandbytes__"
SCALE = "SCB"
BESIDE = (".weight.absmax", ".weight.quant_map", ".weight.nested_absmax", ".weight.nested_quant_map", f".{SCALE}")


def folded(tensors: list[Stored]) -> list[Stored]:
    """The tensors, each quantized matrix with what lies beside it as one, of the shape that it stands for."""
    beside: dict[str, dict[str, Stored]] = defaultdict(dict)
    for tensor in tensors:
        owner, kind = _owner(tensor.name)
        if kind:
            beside[owner][kind] = tensor
    if not beside:
        return tensors
    reader = Reader()
    return [
        _matrix(tensor, beside[tensor.name], reader) if tensor.name in beside else tensor
        for tensor in tensors
        if not _owner(tensor.name)[1]
    ]


def as_stored(
    module: Linear,
    sources: list[Stored],
    reader: Reader,
    device: torch.device,
    dtype: torch.dtype,
    arithmetic: Arithmetic,
) -> nn.Module:
    """The layer from matrices of which some or all are quantized, each its own product; the bias is left to fill."""
    products = [
        _product(source, reader, device, arithmetic) if source.quantized else _plain(source, reader, device, dtype)
        for source in sources
    ]
    layer: Any = products[0] if len(products) == 1 else Joined(products, module.parts)
    layer.bias = module.bias
    return layer  # type: ignore[no-any-return]


def _owner(name: str) -> tuple[str, str]:
    """The weight beside which a tensor lies, and what it is to it; two empty strings for what is a weight itself."""
    stem, _, last = name.rpartition(".")
    if last in (SCALE, "weight_format"):
        return f"{stem}.weight", last
    owner, mark, kind = name.partition(".weight.")
    return (f"{owner}.weight", kind) if mark and (kind.startswith(STATE) or name.endswith(BESIDE)) else ("", "")


def _matrix(tensor: Stored, beside: dict[str, Stored], reader: Reader) -> Stored:
    """One matrix: 8-bit codes have its shape, of packed ones it is written down."""
    state = next((kind for kind in beside if kind.startswith(STATE)), None)
    if state is None:
        if SCALE not in beside or len(tensor.shape) != 2:
            raise BrokenModel(
                f"{tensor.name} in {tensor.file.name} lacks its scales", hint="fetch the checkpoint again"
            )
        return replace(tensor, format="bnb-8bit", beside=beside)
    written = _written(beside[state], reader)
    shape = tuple(written.get("shape") or ())
    if len(shape) != 2 or not all(isinstance(size, int) and size > 0 for size in shape) or "absmax" not in beside:
        raise BrokenModel(
            f"{beside[state].name} in {tensor.file.name} does not describe a matrix", hint="fetch the checkpoint again"
        )
    return replace(tensor, shape=shape, format=f"bnb-{state.removeprefix(STATE)}", beside=beside)


def _written(tensor: Stored, reader: Reader) -> dict[str, Any]:
    """JSON that is stored as the bytes of a tensor."""
    try:
        values = json.loads(bytes(reader.tensor(tensor).tolist()))
    except (ValueError, TypeError, RecursionError) as error:
        raise BrokenModel(
            f"{tensor.name} in {tensor.file.name} is no JSON", hint="fetch the checkpoint again"
        ) from error
    return values if isinstance(values, dict) else {}


def _product(stored: Stored, reader: Reader, device: torch.device, arithmetic: Arithmetic) -> nn.Module:
    """A quantized matrix as a layer without a bias."""
    from llavacli_core.nn import bnb

    def taken(tensor: Stored) -> Tensor:
        return reader.tensor(tensor).to(device, copy=True)

    codes, parts = taken(stored), stored.shape[:1]
    if SCALE in stored.beside:
        return bnb.Bnb8bit(codes, taken(stored.beside[SCALE]).float(), parts, arithmetic.threshold)
    beside = {kind: taken(tensor) for kind, tensor in stored.beside.items()}
    return bnb.Bnb4bit.stored(codes, beside, parts, getattr(torch, arithmetic.compute))


def _plain(source: Stored, reader: Reader, device: torch.device, dtype: torch.dtype) -> Linear:
    """A matrix of a stack that is stored as numbers."""
    with torch.device("meta"):
        layer = Linear(source.shape[1], source.shape[0], bias=False)
    layer.weight = nn.Parameter(copied(layer.weight, [source], reader, device, dtype), requires_grad=False)
    return layer
