"""Which models the shared cache holds, how large each is, and what is missing of it. Needs no torch and no Hub."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from llavacli_core.errors import CoreError
from llavacli_core.families.registry import CAPTIONERS, PUBLISHED, family_of
from llavacli_core.hub.cache import Repository, files_in, recorded, repositories
from llavacli_core.hub.needed import is_weights, missing_files, wanted
from llavacli_core.prompt.files import read_json


@dataclass(frozen=True, kw_only=True)
class CachedModel:
    """A revision of a model in the cache."""

    id: str
    family: str | None  # None: the download was cut short before that was known
    revision: str | None
    refs: tuple[str, ...]  # branches and tags that stand there
    folder: Path
    size: int  # bytes on disk, those of a download that was cut short included
    accessed: float  # seconds since 1970
    modified: float
    missing: tuple[str, ...]  # what loading needs and is not there

    @property
    def complete(self) -> bool:
        """Whether it can be loaded."""
        return not self.missing


def cached_ids(cache: str | PathLike[str] | None = None) -> list[str]:
    """The Hub ids of all models in the cache, of whatever family; no file is read."""
    return [repository.id for repository in repositories(cache)]


def cached_models(cache: str | PathLike[str] | None = None) -> Iterator[CachedModel]:
    """Every revision of every model of a supported family, by name."""
    for repository in repositories(cache):
        commits = repository.commits()
        found = [model for commit in commits if (model := _model(repository, commit)) is not None]
        yield from found
        if not commits and repository.id in (*PUBLISHED, *CAPTIONERS) and (left := _partial(repository)):
            yield left


def on_disk(folder: Path, id: str, revision: str | None = None) -> CachedModel:
    """The same of a folder that holds a checkpoint, or a part of one."""
    config = read_json(folder / "config.json")
    family = family_of(config).model_type if config else None
    return _measured(folder, id=id, family=family, revision=revision, refs=())


def _model(repository: Repository, commit: str) -> CachedModel | None:
    """A revision; None if it is of no family that is supported, or its config.json is not there."""
    folder = repository.snapshot(commit)
    try:
        family = family_of(read_json(folder / "config.json")).model_type
    except CoreError:
        return None
    refs = tuple(name for name, stands in repository.refs().items() if stands == commit)
    partial = sum(map(_bytes, repository.partials()))
    return _measured(folder, id=repository.id, family=family, revision=commit, refs=refs, partial=partial)


def _measured(
    folder: Path, *, id: str, family: str | None, revision: str | None, refs: tuple[str, ...], partial: int = 0
) -> CachedModel:
    """Sizes and times of a folder's files."""
    found = {name: stat for name in files_in(folder) if (stat := _stat(folder / name)) is not None}
    used = [stat for name, stat in found.items() if is_weights(name)]  # the others are read by every list, too
    stats, missing = list(found.values()), lacking(folder)
    return CachedModel(
        id=id,
        family=family,
        revision=revision,
        refs=refs,
        folder=folder,
        size=sum(stat.st_size for stat in stats) + (partial if missing else 0),
        accessed=max((stat.st_atime for stat in used or stats), default=0.0),
        modified=max((stat.st_mtime for stat in stats), default=0.0),
        missing=tuple(missing),
    )


def lacking(folder: Path) -> list[str]:
    """What loading needs and the folder lacks, by what is in it and by what the cache notes of the Hub's listing."""
    listed = wanted(recorded(folder), weights=True)
    return list(dict.fromkeys([*missing_files(folder), *(name for name in listed if not (folder / name).is_file())]))


def _partial(repository: Repository) -> CachedModel | None:
    """A download that was cut short before config.json had come."""
    stats = [stat for path in repository.partials() if (stat := _stat(path)) is not None]
    if not stats:
        return None
    return CachedModel(
        id=repository.id,
        family=None,
        revision=None,
        refs=(),
        folder=repository.folder,
        size=sum(stat.st_size for stat in stats),
        accessed=max(stat.st_atime for stat in stats),
        modified=max(stat.st_mtime for stat in stats),
        missing=("config.json",),
    )


def _bytes(path: Path) -> int:
    stat = _stat(path)
    return stat.st_size if stat is not None else 0


def _stat(path: Path) -> os.stat_result | None:
    """Of a link, what it leads to; None where it leads nowhere."""
    try:
        return path.stat()
    except OSError:
        return None
