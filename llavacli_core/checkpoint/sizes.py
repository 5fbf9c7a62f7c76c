"""Bytes that weights will take once they are in place, parameter by parameter."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from llavacli_core.checkpoint.quantize import scheme_of
from llavacli_core.checkpoint.stored import Stored
from llavacli_core.checkpoint.weights import Plan, by_parameter
from llavacli_core.nn.linear import Linear
from llavacli_core.schemes import Scheme

BYTES = {"F32": 4, "U8": 1, "I8": 1, "bnb-8bit": 1, "bnb-nf4": 0.5, "bnb-fp4": 0.5}  # all others take two


def sizes_of(network: nn.Module, plan: Plan, itemsize: int, scheme: Scheme | None) -> dict[str, int]:
    """For each parameter by its name, what it takes in numbers of `itemsize` bytes, or as it is quantized."""
    sizes = {}
    for name, sources in by_parameter(plan).items():
        owner, _, own_name = name.rpartition(".")
        module = network.get_submodule(owner)
        linear = module if isinstance(module, Linear) and own_name == "weight" else None
        fewer = None if linear is None else scheme_of(name, linear, sources, scheme)
        if linear is not None and fewer is not None and not any(source.quantized for source in sources):
            out, inputs = linear.weight.shape
            sizes[name] = fewer.nbytes(out, inputs, itemsize)
        else:
            sizes[name] = _as_stored(sources, itemsize)
    return sizes


def _as_stored(sources: Sequence[Stored], itemsize: int) -> int:
    """Numbers are converted; what is quantized on disk is taken as it is, with all that lies beside it."""
    total = 0.0
    for source in sources:
        count = math.prod(source.shape)
        total += count * (BYTES.get(source.format, 2) if source.quantized else itemsize)
        total += sum(math.prod(each.shape) * BYTES.get(each.format, 2) for each in source.beside.values())
    return math.ceil(total)
