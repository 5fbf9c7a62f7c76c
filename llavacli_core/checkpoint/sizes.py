"""What weights will be once they are in place: the bytes of each parameter, and the schemes that hold them."""

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


def sizes_of(network: nn.Module, plan: Plan, itemsize: int, asked: Scheme | None) -> dict[str, int]:
    """For each parameter by its name, what it takes in numbers of `itemsize` bytes, or as it is quantized."""
    sizes = {}
    for name, sources in by_parameter(plan).items():
        owner, _, own_name = name.rpartition(".")
        scheme = _scheme(network, name, sources, asked)
        if scheme is not None:
            out, inputs = network.get_submodule(owner).get_parameter(own_name).shape
            sizes[name] = scheme.nbytes(out, inputs, itemsize)
        else:
            sizes[name] = _as_stored(sources, itemsize)
    return sizes


def schemes_of(network: nn.Module, plan: Plan, asked: Scheme | None) -> frozenset[str]:
    """The names of the schemes in which some weights of the plan will be held, from the checkpoint or as asked."""
    found = set()
    for name, sources in by_parameter(plan).items():
        scheme = _scheme(network, name, sources, asked)
        found |= {source.format for source in sources if source.quantized} | ({scheme.name} if scheme else set())
    return frozenset(found)


def _scheme(network: nn.Module, name: str, sources: Sequence[Stored], asked: Scheme | None) -> Scheme | None:
    """The scheme that a parameter will be quantized in; None: it is taken as it is stored, or converted."""
    owner, _, own_name = name.rpartition(".")
    module = network.get_submodule(owner)
    if not isinstance(module, Linear) or own_name != "weight" or any(source.quantized for source in sources):
        return None
    return scheme_of(name, module, sources, asked)


def _as_stored(sources: Sequence[Stored], itemsize: int) -> int:
    """Numbers are converted; what is quantized on disk is taken as it is, with all that lies beside it."""
    total = 0.0
    for source in sources:
        count = math.prod(source.shape)
        total += count * (BYTES.get(source.format, 2) if source.quantized else itemsize)
        total += sum(math.prod(each.shape) * BYTES.get(each.format, 2) for each in source.beside.values())
    return math.ceil(total)
