"""The tensors of a checkpoint's folder: which files hold them, their names, shapes and formats, without their data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from safetensors import SafetensorError, safe_open
from torch import Tensor

from llavacli_core.checkpoint import pickled
from llavacli_core.errors import BrokenModel, MissingWeight

# Safetensors first: they say what they hold without being run through an unpickler.
SINGLE = ("model.safetensors", "pytorch_model.bin")
INDICES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
ENDINGS = (".safetensors", ".bin")


@dataclass(frozen=True)
class Stored:
    """A tensor on disk; in a plan, `shape` is the one that it shall take, which its form on disk may differ from."""

    name: str
    file: Path
    shape: tuple[int, ...]
    format: str  # as safetensors names it: F32, BF16
    transposed: bool = False  # on disk, rows and columns are the other way round


def stored_tensors(folder: Path) -> list[Stored]:
    """Every tensor of the checkpoint: from an index's shards or from one file, safetensors if there are any."""
    for index, single in zip(INDICES, SINGLE, strict=True):
        if (folder / index).is_file():
            return _indexed(folder, folder / index)
        if (folder / single).is_file():
            return _headers(folder / single)
    raise BrokenModel(f"{folder}: no {' or '.join(SINGLE)}", hint="the checkpoint is incomplete; fetch it again")


def weight_files(index: Path) -> dict[str, str]:
    """What an index says: for each tensor, the file that holds it."""
    try:
        weight_map = json.loads(index.read_bytes())["weight_map"]
        return {str(name): str(file) for name, file in weight_map.items()}
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise BrokenModel(f"{index} has no weight_map", hint="fetch the checkpoint again") from error


def open_weights(file: Path) -> Tensors:
    """The file's tensors, mapped from disk as they are asked for."""
    return Pickled(file) if file.suffix == ".bin" else Safetensors(file)


class Safetensors:
    """A mapped file of safetensors."""

    def __init__(self, file: Path) -> None:
        self.opened = safe_open(file, "pt")

    def tensor(self, name: str) -> Tensor:
        """A view of the file."""
        return self.opened.get_tensor(name)  # type: ignore[no-any-return]


class Pickled:
    """A file of torch.save."""

    def __init__(self, file: Path) -> None:
        self.tensors = pickled.read(file)

    def tensor(self, name: str) -> Tensor:
        """A view of the file, or of the copy in memory where the file cannot be mapped."""
        return self.tensors[name]


Tensors = Safetensors | Pickled


def _indexed(folder: Path, index: Path) -> list[Stored]:
    """The tensors of all shards; each that the index names must be there."""
    wanted = weight_files(index)
    shards = [_shard(folder, name) for name in sorted(set(wanted.values()))]
    found = {tensor.name: tensor for shard in shards for tensor in _headers(shard)}
    for name, shard in wanted.items():
        if name not in found:
            raise MissingWeight(f"{name} is not in {shard}, where the index puts it", hint="fetch the checkpoint again")
    return list(found.values())


def _shard(folder: Path, name: str) -> Path:
    """A shard named by the index; a name that leaves the folder is refused."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not name.endswith(ENDINGS):
        raise BrokenModel(
            f"the index names {name!r} as a shard, outside the folder", hint="do not trust this checkpoint"
        )
    if not (folder / path).is_file():
        raise BrokenModel(f"{folder}: no {name}", hint="the checkpoint is incomplete; fetch it again")
    return folder / path


def _headers(file: Path) -> list[Stored]:
    """Names, shapes and formats of a file's tensors."""
    if file.suffix == ".bin":
        return [
            Stored(name, file, tuple(tensor.shape), pickled.format_of(tensor))
            for name, tensor in pickled.read(file).items()
        ]
    try:
        with safe_open(file, "pt") as opened:
            slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118
            return [Stored(name, file, tuple(view.get_shape()), view.get_dtype()) for name, view in slices.items()]
    except (SafetensorError, OSError) as error:
        raise BrokenModel(f"{file} is damaged or cut short: {error}", hint="fetch the checkpoint again") from error
