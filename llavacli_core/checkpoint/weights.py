"""What a checkpoint's files hold, compared with what the config asks for before anything is allocated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from torch import nn

from llavacli_core.checkpoint.stored import Stored
from llavacli_core.errors import MisshapenWeight, MissingWeight, UnknownWeight, UnsupportedModel
from llavacli_core.families.names import WHOLE, Table, Target, rename, row_of, theirs
from llavacli_core.nn.linear import Linear

FLOATS = ("F32", "F16", "BF16")
EMBEDDING, HEAD = Target("decoder.embedding.weight"), Target("decoder.head.weight")

Plan = dict[Target, Stored]  # for each of our matrices, the tensor that fills it


def make_plan(network: nn.Module, tensors: Sequence[Stored], table: Table) -> Plan:
    """Which tensor fills which of `network`'s matrices; every name and shape checked, nothing left open."""
    shapes = _matrix_shapes(network)
    plan: Plan = {}
    head: Stored | None = None
    for tensor, target in _placed(tensors, table):
        if target not in shapes:
            if _superfluous(target):
                head = tensor if target == HEAD else head
                continue
            raise UnknownWeight(f"{tensor.name} in {tensor.file.name}: config.json says there is no such tensor")
        plan[target] = _checked(tensor, target, shapes[target])
    if head is not None and EMBEDDING not in plan:  # a tied pair may be stored under either name
        plan[EMBEDDING] = _checked(head, EMBEDDING, shapes[EMBEDDING])
    missing = missing_targets(shapes, plan)
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise MissingWeight(
            f"no file holds {theirs(missing[0], table)}{more}", hint="the checkpoint is incomplete; fetch it again"
        )
    return plan


def by_parameter(plan: Plan) -> dict[str, list[Stored]]:
    """For each parameter by its name, the tensors that fill it, in the order of its rows."""
    parts: dict[str, dict[int, Stored]] = defaultdict(dict)
    for target, stored in plan.items():
        parts[target.name][target.part] = stored
    return {name: [stored[part] for part in sorted(stored)] for name, stored in parts.items()}


def missing_targets(shapes: Iterable[Target], plan: Plan) -> list[Target]:
    """The matrices that nothing fills, neither by itself nor as part of a whole stack."""
    return [
        target
        for target in shapes
        if target.part != WHOLE and target not in plan and replace(target, part=WHOLE) not in plan
    ]


def _placed(tensors: Sequence[Stored], table: Table) -> list[tuple[Stored, Target]]:
    """The tensors that are kept, with their places; of two for one place, the one whose row comes later is last."""
    rank = {row: index for index, row in enumerate(table)}
    placed = []
    for tensor in tensors:
        try:
            target = rename(tensor.name, table)
        except KeyError:
            raise UnknownWeight(
                f"{tensor.name} in {tensor.file.name} belongs to no part of this model",
                hint="config.json and the weights are of different models, or the format is newer than this program",
            ) from None
        if target is not None:
            placed.append((tensor, target))
    return sorted(placed, key=lambda pair: rank[row_of(pair[0].name)])


def _checked(tensor: Stored, target: Target, shape: tuple[int, ...]) -> Stored:
    """The tensor as it shall be, [shape], if it is that on disk."""
    if tensor.quantized and target.name.endswith(".weight") and tensor.shape == shape:
        return tensor
    if tensor.format not in FLOATS:
        raise UnsupportedModel(
            f"{tensor.name} in {tensor.file.name} is stored as {tensor.format}", hint=f"known: {', '.join(FLOATS)}"
        )
    stated = _on_disk(shape, target, len(tensor.shape))
    if tensor.shape != stated:
        raise MisshapenWeight(
            f"{tensor.name} in {tensor.file.name} is {list(tensor.shape)}, config.json says {list(stated)}",
            hint="config.json and the weights are of different models",
        )
    return replace(tensor, shape=shape, transposed=target.transposed)


def _superfluous(target: Target) -> bool:
    """Stored but not built: tower layers beyond the deepest one selected, and a head that is tied."""
    return target.name.startswith("vision.blocks.") or target == HEAD


def _matrix_shapes(network: nn.Module) -> dict[Target, tuple[int, ...]]:
    """Each matrix's shape; a stacked parameter counts as the matrices it is made of, and as a whole."""
    shapes = {}
    for path, module in network.named_modules():
        parts = module.parts if isinstance(module, Linear) else None
        for name, parameter in module.named_parameters(recurse=False):
            full = f"{path}.{name}" if path else name
            rows = parts or (parameter.shape[0],)
            for part, size in enumerate(rows):
                shapes[Target(full, part)] = (size, *parameter.shape[1:])
            if len(rows) > 1:
                shapes[Target(full, WHOLE)] = tuple(parameter.shape)
    return shapes


def _on_disk(shape: tuple[int, ...], target: Target, dimensions: int) -> tuple[int, ...]:
    """The shape that a tensor of `dimensions` must have on disk to become one of `shape`."""
    if target.squeezed:
        return (1,) * (dimensions - len(shape)) + shape
    return shape[::-1] if target.transposed else shape
