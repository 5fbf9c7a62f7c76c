"""The tensors of a checkpoint's folder: which files hold them, their names, shapes and formats, without their data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from llavacli_core.checkpoint import pickled
from llavacli_core.errors import BrokenModel, MissingWeight
from llavacli_core.hub.shards import shard, weights_of


@dataclass(frozen=True)
class Stored:
    """A tensor on disk; in a plan, `shape` is the one that it shall take, which its form on disk may differ from."""

    name: str
    file: Path
    shape: tuple[int, ...]
    format: str  # as safetensors names it: F32, BF16
    transposed: bool = False  # on disk, rows and columns are the other way round
    beside: Mapping[str, Stored] = field(
        default_factory=dict
    )  # of a quantized matrix: its scales and what else it needs

    @property
    def quantized(self) -> bool:
        """Whether these are codes that mean a matrix of `shape`, and no numbers."""
        return bool(self.beside)


def stored_tensors(folder: Path) -> list[Stored]:
    """Every tensor of the checkpoint; each that an index names must be where it says."""
    file, weight_map = weights_of(folder)
    if weight_map is None:
        return _headers(file)
    shards = [shard(folder, name) for name in sorted(set(weight_map.values()))]
    found = {tensor.name: tensor for path in shards for tensor in _headers(path)}
    for name, place in weight_map.items():
        if name not in found:
            raise MissingWeight(f"{name} is not in {place}, where the index puts it", hint="fetch the checkpoint again")
    return list(found.values())


def tensors_of(folder: Path) -> Iterator[tuple[str, Tensor]]:
    """Every tensor of the checkpoint with its name, mapped from disk."""
    files: dict[Path, Tensors] = {}
    for stored in stored_tensors(folder):
        if stored.file not in files:
            files[stored.file] = open_weights(stored.file)
        yield stored.name, files[stored.file].tensor(stored.name)


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
