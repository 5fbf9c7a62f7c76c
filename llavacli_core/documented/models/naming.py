"""A network's weights under the names that the Hub's files give them, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from llavacli_core.errors import MisshapenWeight, MissingWeight, UnknownWeight
from llavacli_core.families.names import WHOLE, Table, Target, rename, row_of, theirs
from llavacli_core.nn.linear import Apart, Linear

# The bias of BERT's and RoBERTa's words goes by two names, and files have it under both.
TWICE = {"predictions.bias": "predictions.decoder.bias", "lm_head.bias": "lm_head.decoder.bias"}
STORED_DIMENSIONS = 3  # of what is stored with leading dimensions of 1: tokens and positions, [1, P, D]


def published(network: nn.Module, table: Table) -> dict[str, Tensor]:
    """Views of all weights, as files hold them: stacked matrices one by one, in the files' orientation."""
    rows = {target: target for target in table.values() if target is not None}
    weights = {}
    for target, weight in matrices(network, table):
        name = theirs(target, table)
        row = rows[replace(target, name=row_of(target.name))]
        leading = (1,) * (STORED_DIMENSIONS - weight.dim()) if row.squeezed else ()
        weights[name] = weight.T if row.transposed else weight.view(leading + weight.shape)
        for end, other in TWICE.items():
            if name.endswith(end):
                weights[name.removesuffix(end) + other] = weights[name]
    return weights


def matrices(network: nn.Module, table: Table) -> Iterator[tuple[Target, Tensor]]:
    """Each weight with its place; of a stacked one every matrix, unless the files have them in one, too."""
    stacked = {target for target in table.values() if target is not None and target.part == WHOLE}
    for path, module in network.named_modules():
        if isinstance(module, nn.ParameterList):
            continue  # an Apart's, which it speaks for
        if isinstance(module, Apart):
            for part, weight in enumerate(module.weights):
                yield Target(f"{path}.weight", part), weight
        for name, parameter in module.named_parameters(recurse=False):
            full = f"{path}.{name}" if path else name
            parts = module.parts if isinstance(module, (Linear, Apart)) else (parameter.shape[0],)
            if Target(row_of(full), WHOLE) in stacked:
                yield Target(full, WHOLE), parameter
            else:
                for part, rows in enumerate(parameter.split(parts)):
                    yield Target(full, part), rows


@torch.no_grad()
def take_in(network: nn.Module, table: Table, weights: Mapping[str, Tensor], *, strict: bool) -> int:
    """Copy weights under published names into the network; where `strict`, all of them and nothing else; how many."""
    ours = {rename(name, table): weight for name, weight in published(network, table).items()}
    left = set(ours)
    for name, weight in weights.items():
        try:
            target = rename(name, table)
        except KeyError:
            if strict:
                raise UnknownWeight(f"{name} belongs to no part of this model") from None
            continue
        if target not in ours:
            continue
        if ours[target].shape != weight.shape:
            raise MisshapenWeight(f"{name} is {list(weight.shape)}, this model has {list(ours[target].shape)}")
        ours[target].copy_(weight)
        left.discard(target)
    if strict and left:
        raise MissingWeight(f"{len(left)} weights of this model are not among those given")
    return len(ours) - len(left)
