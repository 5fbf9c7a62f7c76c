"""What a checkpoint's files hold, compared with what the config asks for before anything is allocated."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from safetensors import SafetensorError, safe_open
from torch import nn

from llavacli_core.errors import BrokenModel, MisshapenWeight, MissingWeight, UnknownWeight, UnsupportedModel
from llavacli_core.families.names import Table, Target, rename, theirs
from llavacli_core.nn.linear import Linear

FLOATS = ("F32", "F16", "BF16")


@dataclass(frozen=True)
class Stored:
    """A tensor on disk; in a plan, `shape` is the one that it shall take, which its form on disk may differ from."""

    name: str
    file: Path
    shape: tuple[int, ...]
    transposed: bool = False  # on disk, rows and columns are the other way round


Plan = dict[Target, Stored]  # for each of our matrices, the tensor that fills it


def stored_tensors(folder: Path) -> list[Stored]:
    """Every tensor of the checkpoint, from one model.safetensors or the shards that the index names."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        files = [folder / "model.safetensors"]
        if not files[0].is_file():
            raise BrokenModel(f"{folder}: no model.safetensors", hint="the checkpoint is incomplete; fetch it again")
        return [tensor for file in files for tensor in _headers(file)]
    try:
        weight_map: dict[str, str] = json.loads(index.read_bytes())["weight_map"]
        wanted = {str(name): str(shard) for name, shard in weight_map.items()}
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise BrokenModel(f"{index} has no weight_map", hint="fetch the checkpoint again") from error
    found = {
        tensor.name: tensor for shard in sorted(set(wanted.values())) for tensor in _headers(_shard(folder, shard))
    }
    for name, shard in wanted.items():
        if name not in found:
            raise MissingWeight(f"{name} is not in {shard}, where the index puts it", hint="fetch the checkpoint again")
    return list(found.values())


def make_plan(network: nn.Module, tensors: Iterable[Stored], table: Table) -> Plan:
    """Which tensor fills which of `network`'s matrices; every name and shape checked, nothing left open."""
    shapes = _matrix_shapes(network)
    plan: Plan = {}
    for tensor in tensors:
        try:
            target = rename(tensor.name, table)
        except KeyError:
            raise UnknownWeight(
                f"{tensor.name} in {tensor.file.name} belongs to no part of this model",
                hint="config.json and the weights are of different models, or the format is newer than this program",
            ) from None
        if target is None or (target not in shapes and _superfluous(target.name)):
            continue
        if target not in shapes:
            raise UnknownWeight(f"{tensor.name} in {tensor.file.name}: config.json says there is no such tensor")
        shape = shapes[target]
        stated = _on_disk(shape, target, len(tensor.shape))
        if tensor.shape != stated:
            raise MisshapenWeight(
                f"{tensor.name} in {tensor.file.name} is {list(tensor.shape)}, config.json says {list(stated)}",
                hint="config.json and the weights are of different models",
            )
        plan[target] = replace(tensor, shape=shape, transposed=target.transposed)
    missing = [target for target in shapes if target not in plan]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise MissingWeight(
            f"no file holds {theirs(missing[0], table)}{more}", hint="the checkpoint is incomplete; fetch it again"
        )
    return plan


def has_head(tensors: Iterable[Stored], table: Table) -> bool:
    """Whether the decoder's head is stored: a checkpoint without one ties it to the embedding."""
    return any(table.get(tensor.name) == Target("decoder.head.weight") for tensor in tensors)


def _superfluous(name: str) -> bool:
    """Stored but not built: tower layers beyond the deepest one selected, and a head that is tied."""
    return name.startswith("vision.blocks.") or name == "decoder.head.weight"


def _matrix_shapes(network: nn.Module) -> dict[Target, tuple[int, ...]]:
    """Each matrix's shape; a stacked parameter counts as the matrices it is made of."""
    shapes = {}
    for path, module in network.named_modules():
        parts = module.parts if isinstance(module, Linear) else None
        for name, parameter in module.named_parameters(recurse=False):
            full = f"{path}.{name}" if path else name
            rows = parts or (parameter.shape[0],)
            for part, size in enumerate(rows):
                shapes[Target(full, part)] = (size, *parameter.shape[1:])
    return shapes


def _on_disk(shape: tuple[int, ...], target: Target, dimensions: int) -> tuple[int, ...]:
    """The shape that a tensor of `dimensions` must have on disk to become one of `shape`."""
    if target.squeezed:
        return (1,) * (dimensions - len(shape)) + shape
    return shape[::-1] if target.transposed else shape


def _shard(folder: Path, name: str) -> Path:
    """A shard named by the index; a name that leaves the folder is refused."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not name.endswith(".safetensors"):
        raise BrokenModel(
            f"the index names {name!r} as a shard, outside the folder", hint="do not trust this checkpoint"
        )
    if not (folder / path).is_file():
        raise BrokenModel(f"{folder}: no {name}", hint="the checkpoint is incomplete; fetch it again")
    return folder / path


def _headers(file: Path) -> list[Stored]:
    """Names and shapes of a file's tensors, without their data."""
    try:
        with safe_open(file, "pt") as opened:
            slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118
            odd = next((name for name, view in slices.items() if view.get_dtype() not in FLOATS), None)
            if odd is not None and not odd.endswith("position_ids"):
                raise UnsupportedModel(
                    f"{odd} in {file.name} is stored as {slices[odd].get_dtype()}", hint=f"known: {', '.join(FLOATS)}"
                )
            return [Stored(name, file, tuple(view.get_shape())) for name, view in slices.items()]
    except (SafetensorError, OSError) as error:
        raise BrokenModel(f"{file} is damaged or cut short: {error}", hint="fetch the checkpoint again") from error
