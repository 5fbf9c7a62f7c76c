"""Fetching a checkpoint: what is lacking is listed first, then checked against the disk's room, then transferred."""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from llavacli_core.errors import CannotWrite, CheckpointError, DiskFull
from llavacli_core.events import Progress
from llavacli_core.families.registry import family_of
from llavacli_core.hub.cache import Repository
from llavacli_core.hub.needed import is_weights, missing_files, wanted
from llavacli_core.hub.places import InCache, Place, free_bytes
from llavacli_core.hub.remote import Listing, RemoteFile, list_files, opened, refuse_offline, speaking_of
from llavacli_core.hub.reporting import Meter, reported
from llavacli_core.hub.shards import INDICES, SINGLE, weight_map
from llavacli_core.hub.transfer import is_of_disk, transfer

THREADS = 8  # files at a time
SPARE = 1 << 26  # bytes to leave on the disk


@dataclass(frozen=True, kw_only=True)
class Pull:
    """A download that is planned: the files that loading needs, and which of them are to be fetched."""

    listing: Listing
    revision: str | None
    place: Place
    fetched: tuple[RemoteFile, ...]
    again: frozenset[str]  # names of those that are fetched although they are there
    weights: bool
    words: bool

    @property
    def id(self) -> str:
        """The Hub id."""
        return self.listing.id

    @property
    def commit(self) -> str:
        """The revision's commit."""
        return self.listing.commit

    @property
    def folder(self) -> Path:
        """Where the files are, or will be."""
        return self.place.folder

    @property
    def files(self) -> tuple[RemoteFile, ...]:
        """All that loading needs."""
        return self.listing.files

    @property
    def size(self) -> int:
        """Bytes of the files to be fetched."""
        return sum(file.size for file in self.fetched)

    @property
    def resumed(self) -> int:
        """Bytes of these that an earlier attempt has left."""
        return sum(min(_partial_size(self.place.partial(file)), file.size) for file in self.fetched)

    @property
    def free(self) -> int:
        """Bytes that the disk has room for."""
        return free_bytes(self.folder)

    def check_room(self) -> None:
        """Raise DiskFull unless what is to come fits on the disk."""
        need, free = self.size - self.resumed, self.free
        if need and need + SPARE > free:
            raise _disk_full(
                f"{self.id} takes {need / 1e9:.1f} GB, and the disk has {free / 1e9:.1f} GB left", self.folder
            )

    def run(self) -> Iterator[Progress]:
        """Fetch it, and say how far it is. What has come when it is left off or fails is not fetched again."""
        self.check_room()
        # The small ones one after the other: config.json is first, and the last one stands for all.
        for files, threads in ((self._fetched(weights=False), 1), (self._fetched(weights=True), THREADS)):
            if not files:
                continue
            if is_weights(files[0].name):
                self._check_shards()
            jobs = [partial(self._job, file) for file in files]
            before = self.size - sum(file.size for file in files) if threads > 1 else 0
            yield from reported(jobs, total=self.size, done=before, threads=threads)
        try:
            self.place.finish(self.revision)
        except OSError as error:
            raise self._unwritten(error) from error
        missing = missing_files(self.folder, weights=self.weights, words=self.words)
        if missing:
            raise _lacking(self.id, missing)

    def _fetched(self, *, weights: bool) -> list[RemoteFile]:
        return [file for file in self.fetched if is_weights(file.name) == weights]

    def _job(self, file: RemoteFile, _tell: Callable[[Any], None], meter: Meter, stopped: threading.Event) -> None:
        """Fetch one file, unless another process has done so meanwhile."""
        try:
            with speaking_of(self.id, self.revision, file.name), self.place.lock(file):
                if file.name not in self.again and self.place.adopt(file):
                    meter.add(file.size)
                    return
                transfer(file, self.place.partial(file), meter.add, stopped)
                self.place.take(file)
        except CheckpointError as error:
            if is_of_disk(error.__cause__):
                raise self._unwritten(error.__cause__) from error
            raise

    def _unwritten(self, error: Any) -> CannotWrite:
        """The error for a disk that takes no more, or nothing."""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _disk_full(f"{self.id}: the disk is full", self.folder)
        return CannotWrite(
            f"{self.folder} cannot be written to: {error.strerror or error}", hint="choose another place (HF_HOME)"
        )

    def _check_shards(self) -> None:
        """Whether the repository has every file of weights that its index names, before the first is fetched."""
        chosen = {file.name for file in self.files}
        index = next((name for name in INDICES if name in chosen), None)
        if index is not None and not chosen & set(SINGLE):
            missing = sorted(set(weight_map(self.folder / index).values()) - chosen)
            if missing:
                raise _lacking(self.id, missing)


def plan_pull(
    name: str,
    revision: str | None = None,
    *,
    into: Callable[[str], Place] | None = None,
    again: Callable[[str], bool] = lambda _: False,
    offline: bool = False,
    weights: bool = True,
    words: bool = True,
) -> Pull:
    """What fetching a Hub id would take; nothing is written. An unknown family is refused here.

    `into` gives the place for a commit; without it that is the shared cache. `again` tells by its name whether a file
    is to be fetched although it is there. A network without `words` is half of one, of no family by itself.
    """
    refuse_offline(name, offline=offline)
    listing = list_files(name, revision, partial(wanted, weights=weights))
    place = into(listing.commit) if into else InCache(Repository.of(name), listing.commit)
    if weights and not any(is_weights(file.name) for file in listing.files):
        raise _lacking(name, [SINGLE[0]])
    afresh = {file.name for file in listing.files if again(file.name)}
    if words:
        config = None if "config.json" in afresh else _read(place, listing)
        if config is None:
            afresh.add("config.json")
            config = _asked(listing, revision)
        family_of(config)
    return Pull(
        listing=listing,
        revision=revision,
        place=place,
        fetched=tuple(file for file in listing.files if file.name in afresh or not place.has(file)),
        again=frozenset(afresh),
        weights=weights,
        words=words,
    )


def _read(place: Place, listing: Listing) -> dict[str, Any] | None:
    """The config.json on disk; None if it is not there, or another, or damaged."""
    file = next((file for file in listing.files if file.name == "config.json"), None)
    if file is None or not place.has(file):
        return None
    return _object((place.folder / file.name).read_bytes())


def _asked(listing: Listing, revision: str | None) -> dict[str, Any]:
    """The Hub's config.json."""
    file = next((file for file in listing.files if file.name == "config.json"), None)
    if file is None:
        raise CheckpointError(f"{listing.id} has no config.json", hint="it is no checkpoint in the Hub's own format")
    with speaking_of(listing.id, revision), opened(file.url) as answer:
        values = _object(answer.read())
    if values is None:
        raise CheckpointError(f"{listing.id}: config.json is not JSON", hint="the repository is damaged")
    return values


def _object(data: bytes) -> dict[str, Any] | None:
    """A JSON object; None for what is none."""
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def _lacking(name: str, missing: list[str]) -> CheckpointError:
    return CheckpointError(f"{name} lacks {', '.join(missing[:3])}", hint="the repository is incomplete")


def _disk_full(message: str, folder: Path) -> DiskFull:
    return DiskFull(message, hint=f"make room on the disk of {folder}, or set HF_HOME to a larger one")


def _partial_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
