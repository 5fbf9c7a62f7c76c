"""Whether a checkpoint's files are what the Hub says they are: sizes, hashes, links, shards. Works offline.

A file's hash is known from the name of its blob in the cache, from the note that a download to a folder left, or from
the Hub's listing; where none is, safetensors are measured by their own headers and JSON is parsed.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from llavacli_core.errors import BrokenModel
from llavacli_core.events import Progress
from llavacli_core.hub.cache import blob_name, files_in, recorded
from llavacli_core.hub.digest import Digest, chunks
from llavacli_core.hub.headers import read_header
from llavacli_core.hub.inventory import lacking
from llavacli_core.hub.places import noted
from llavacli_core.hub.reporting import Meter, reported
from llavacli_core.hub.shards import INDICES, weight_map

NAMES = {64: "sha256", 40: "git-sha1"}
MOST_THREADS = 4


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One file: how it was checked, and what is wrong with it."""

    name: str
    size: int | None  # None: it is not there
    how: str  # sha256, git-sha1, structure, or none
    problem: str | None


@dataclass(frozen=True, kw_only=True)
class Verification:
    """A folder's files and what is known of them."""

    id: str
    revision: str | None
    folder: Path
    hashes: Mapping[str, str]
    sizes: Mapping[str, int] = field(default_factory=dict)
    listed: tuple[str, ...] = ()  # that must be there, besides what loading needs

    @property
    def names(self) -> list[str]:
        """The files that are there, dangling links included."""
        return [name for name in files_in(self.folder) if not name.startswith(".cache/")]

    @property
    def size(self) -> int:
        """Bytes to be read."""
        return sum(_size(self.folder / name) or 0 for name in self.names)

    def run(self) -> Iterator[Progress | Checked]:
        """Check every file and say how far it is; what is missing comes last."""
        names = sorted(self.names, key=lambda name: -(_size(self.folder / name) or 0))
        threads = min(MOST_THREADS, os.cpu_count() or 1)
        yield from reported([partial(self._job, name) for name in names], total=self.size, threads=threads)
        there = set(names)
        for name in dict.fromkeys([*lacking(self.folder), *self.listed]):
            if name not in there:
                yield Checked(name=name, size=None, how="none", problem="is missing")

    def _job(self, name: str, tell: Callable[[Any], None], meter: Meter, stopped: threading.Event) -> None:
        try:
            tell(self._checked(name, meter, stopped))
        except OSError as error:
            tell(Checked(name=name, size=None, how="none", problem=f"cannot be read: {error.strerror}"))

    def _checked(self, name: str, meter: Meter, stopped: threading.Event) -> Checked:
        path = self.folder / name
        size, expected = _size(path), self.hashes.get(name, "")
        how = NAMES.get(len(expected), "structure")
        if size is None:
            return Checked(name=name, size=None, how="none", problem="is a link that leads nowhere")
        if how == "structure":
            problem = self._length(name, path, size) or self._structure(name, path)
            meter.add(size)
        elif _agrees(path, Digest(expected, size), meter, stopped):
            problem = None
        else:
            problem = self._length(name, path, size) or f"is damaged: its {how} is not {expected[:12]}…"
        return Checked(name=name, size=size, how=how, problem=problem)

    def _length(self, name: str, path: Path, size: int) -> str | None:
        """What is wrong with a file's length, by the Hub's listing or by its own header."""
        must = self.sizes.get(name)
        if must is None and name.endswith(".safetensors"):
            try:
                must = read_header(path).length
            except BrokenModel:
                return "is damaged, or cut short within its header"
        if must is None or must == size:
            return None
        return f"is cut short: {size} of {must} bytes" if size < must else f"is too long: {size} bytes, not {must}"

    def _structure(self, name: str, path: Path) -> str | None:
        """What can be told without a hash: whether JSON is JSON, and an index names what is in its shards."""
        if not name.endswith(".json"):
            return None
        try:
            json.loads(path.read_bytes())
            if name != INDICES[0]:
                return None
            places = weight_map(path)
            shards = {shard for shard in places.values() if _size(self.folder / shard) is not None}
            held = {shard: read_header(self.folder / shard).tensors for shard in shards}
        except (ValueError, RecursionError):
            return "is no JSON"
        except BrokenModel as error:  # a damaged shard is told of by itself
            return "has no weight_map" if "weight_map" in str(error) else None
        lost = [tensor for tensor, shard in places.items() if shard in held and tensor not in held[shard]]
        return f"names {lost[0]}, which is not in {places[lost[0]]}" if lost else None


def verification(
    folder: Path, id: str, revision: str | None = None, listing: Mapping[str, tuple[int, str]] | None = None
) -> Verification:
    """What is known of a folder's files; `listing` is the Hub's, size and hash of each that must be there."""
    notes = recorded(folder) if listing is None else listing
    hashes = {name: etag for name, (_, etag) in notes.items()} | (noted(folder) if listing is None else {})
    for name in files_in(folder):
        blob = blob_name(folder / name)
        if blob is not None and name not in hashes:
            hashes[name] = blob
    sizes = {name: size for name, (size, _) in notes.items()}
    return Verification(
        id=id, revision=revision, folder=folder, hashes=hashes, sizes=sizes, listed=tuple(listing or ())
    )


def _agrees(path: Path, digest: Digest, meter: Meter, stopped: threading.Event) -> bool:
    """Whether a file's bytes are those of the hash."""
    with path.open("rb") as file:
        for chunk in chunks(file):
            digest.update(chunk)
            meter.add(len(chunk))
            if stopped.is_set():
                break
    return digest.agrees


def _size(path: Path) -> int | None:
    """A file's bytes, of a link those of what it leads to; None where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return None
