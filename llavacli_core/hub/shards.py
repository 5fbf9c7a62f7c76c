"""Which files of a checkpoint's folder hold its weights: one, or the shards that an index names; safetensors first."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

from llavacli_core.errors import BrokenModel

# Safetensors say what they hold without being run through an unpickler.
SINGLE = ("model.safetensors", "pytorch_model.bin")
INDICES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
ENDINGS = (".safetensors", ".bin")


def weights_of(folder: Path) -> tuple[Path, dict[str, str] | None]:
    """The file of all weights, and None; or the index, and which shard it puts each tensor into.

    Raises BrokenModel where there is neither, or the index is damaged.
    """
    for index, single in zip(INDICES, SINGLE, strict=True):
        if (folder / index).is_file():
            return folder / index, weight_map(folder / index)
        if (folder / single).is_file():
            return folder / single, None
    raise BrokenModel(f"{folder}: no {' or '.join(SINGLE)}", hint="the checkpoint is incomplete; fetch it again")


def shard(folder: Path, name: str) -> Path:
    """A shard named by the index; a name that leaves the folder is refused."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not name.endswith(ENDINGS):
        raise BrokenModel(
            f"the index names {name!r} as a shard, outside the folder", hint="do not trust this checkpoint"
        )
    if not (folder / path).is_file():
        raise BrokenModel(f"{folder}: no {name}", hint="the checkpoint is incomplete; fetch it again")
    return folder / path


def missing_weights(folder: Path) -> list[str]:
    """The files of weights that the folder lacks."""
    try:
        file, places = weights_of(folder)
    except BrokenModel:
        return [next((index for index in INDICES if (folder / index).is_file()), SINGLE[0])]
    return sorted(name for name in set((places or {}).values()) if not (file.parent / name).is_file())


def weight_map(index: Path) -> dict[str, str]:
    """What an index says: for each tensor, the file that holds it."""
    try:
        places = json.loads(index.read_bytes())["weight_map"]
        return {str(name): str(file) for name, file in places.items()}
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise BrokenModel(f"{index} has no weight_map", hint="fetch the checkpoint again") from error
