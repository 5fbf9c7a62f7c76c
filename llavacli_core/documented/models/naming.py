"""A network's weights under the names that the Hub's files give them, and back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

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


def named(network: nn.Module, table: Table) -> Iterator[tuple[str, nn.Parameter]]:
    """Each parameter under its published name; a stacked one under its matrices' in one, as `q_proj_k_proj_v_proj`."""
    targets = defaultdict[str, list[Target]](list)
    for target, _ in matrices(network, table):
        targets[target.name].append(target)
    for path, parameter in network.named_parameters():
        whole, apart, part = path.rpartition(".weights.")
        its_own = [Target(f"{whole}.weight", int(part))] if apart else targets[path]
        yield _in_one([theirs(target, table) for target in its_own]), parameter


def _in_one(names: list[str]) -> str:
    """Names that differ in one word, as one that holds them all."""
    words = zip(*(name.split(".") for name in names), strict=True)
    return ".".join(word[0] if len({*word}) == 1 else "_".join(word) for word in words)


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` did not find, and what it found no place for."""

    missing_keys: list[str]
    unexpected_keys: list[str]


@torch.no_grad()
def take_in(network: nn.Module, table: Table, weights: Mapping[str, Tensor], *, strict: bool) -> IncompatibleKeys:
    """Copy weights under published names into the network; where `strict`, all of them and nothing else."""
    known = published(network, table)
    ours = {rename(name, table): weight for name, weight in known.items()}
    taken, unexpected = set(), []
    for name, weight in weights.items():
        try:
            target = rename(name, table)
        except KeyError:
            if strict:
                raise UnknownWeight(f"{name} belongs to no part of this model") from None
            unexpected.append(name)
            continue
        if target not in ours:
            continue
        if ours[target].shape != weight.shape:
            raise MisshapenWeight(f"{name} is {list(weight.shape)}, this model has {list(ours[target].shape)}")
        ours[target].copy_(weight)
        taken.add(target)
    missing = [name for name in known if rename(name, table) not in taken]
    if strict and missing:
        raise MissingWeight(f"{len(missing)} weights of this model are not among those given, {missing[0]} among them")
    return IncompatibleKeys(missing, unexpected)
