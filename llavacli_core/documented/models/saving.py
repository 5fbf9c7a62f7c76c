"""Writes a network's weights as the Hub has them: one model.safetensors, or shards and an index."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from llavacli_core.errors import BadOption

UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def save_weights(weights: Mapping[str, Tensor], folder: Path, shard_bytes: int) -> None:
    """All weights, in files of at most `shard_bytes` each as far as single tensors allow."""
    shards = _shards(weights, shard_bytes)
    if len(shards) == 1:
        _write(shards[0], folder / "model.safetensors")
        return
    where = {}
    for number, shard in enumerate(shards, start=1):
        file = f"model-{number:05}-of-{len(shards):05}.safetensors"
        _write(shard, folder / file)
        where.update(dict.fromkeys(shard, file))
    total = sum(weight.nbytes for weight in weights.values())
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(where.items()))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def size_in_bytes(size: int | str) -> int:
    """`max_shard_size`: bytes, or a number with a unit as in "5GB"."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Z]*)", str(size).upper())
    if found is None or found[2] not in UNITS:
        raise BadOption(f"max_shard_size is a number of bytes or like '5GB', not {size!r}")
    return int(float(found[1]) * UNITS[found[2]])


def _shards(weights: Mapping[str, Tensor], most: int) -> list[dict[str, Tensor]]:
    """The weights in their order, a new shard begun where the next would make one too large."""
    shards: list[dict[str, Tensor]] = [{}]
    room = most
    for name, weight in weights.items():
        if weight.nbytes > room and shards[-1]:
            shards.append({})
            room = most
        shards[-1][name] = weight
        room -= weight.nbytes
    return shards


def _write(shard: Mapping[str, Tensor], file: Path) -> None:
    """One file; matrices that are views of a stack are copied out of it."""
    apart = {name: weight.detach().clone().contiguous() for name, weight in shard.items()}
    new = file.with_suffix(".new")  # a model may be saved where its weights are still mapped from
    save_file(apart, new, metadata={"format": "pt"})
    os.replace(new, file)
