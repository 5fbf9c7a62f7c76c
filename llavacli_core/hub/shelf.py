"""The models that are kept on disk, by what users call them: to fetch, to check, to remove, to list.

What does it is imported when it is done, so that a list is quick.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from llavacli_core.errors import BadOption, ModelMissing
from llavacli_core.hub.cache import Repository, cache_folder, is_offline
from llavacli_core.hub.inventory import CachedModel, cached_models, on_disk
from llavacli_core.hub.locate import DEMO, DEMO_FOLDER, is_folder, named

if TYPE_CHECKING:
    from llavacli_core.hub.places import Place
    from llavacli_core.hub.pull import Pull
    from llavacli_core.hub.removal import Removal
    from llavacli_core.hub.verify import Verification

Folder = str | PathLike[str]


def list_models(cache: Folder | None = None) -> Iterator[CachedModel]:
    """What can be used without a download: the demo, then every model of the cache, by name."""
    yield demo()
    yield from cached_models(cache)


def demo() -> CachedModel:
    """The embedded checkpoint."""
    return on_disk(DEMO_FOLDER, DEMO)


def find_model(model: str, *, revision: str | None = None, cache: Folder | None = None) -> CachedModel | None:
    """A model that the cache holds, whole or not; None if it holds nothing of it."""
    name = named(model)
    try:
        commit, folder = snapshot_of(name, revision, cache)
    except ModelMissing:
        return None
    return on_disk(folder, name, commit)


def plan_pull(
    model: str,
    *,
    revision: str | None = None,
    cache: Folder | None = None,
    folder: Folder | None = None,
    again: Callable[[str], bool] = lambda _: False,
    offline: bool = False,
) -> Pull:
    """What fetching a model would take, into the cache or a `folder`; nothing is written.

    `again` tells by its name whether a file is to be fetched although it is there.
    """
    from llavacli_core.hub import pull
    from llavacli_core.hub.places import InCache, InFolder

    name = named(model)

    def into(commit: str) -> Place:
        if folder is not None:
            return InFolder(Path(folder).expanduser(), commit)
        return InCache(Repository.of(name, cache), commit)

    return pull.plan_pull(name, revision, into=into, again=again, offline=offline)


def plan_removal(model: str, *, revision: str | None = None, cache: Folder | None = None) -> Removal:
    """What removing a model from the cache would take away; folders elsewhere are never touched.

    `revision` is a branch, a tag, a commit or its beginning; without it, all of the model goes.
    """
    from llavacli_core.hub import removal

    if is_folder(model):
        raise BadOption(f"{model} is a folder outside the cache", hint="remove it as any other folder")
    return removal.plan_removal(named(model), revision, cache)


def plan_verification(
    model: str,
    *,
    revision: str | None = None,
    cache: Folder | None = None,
    folder: Folder | None = None,
    offline: bool = False,
) -> Verification:
    """What checking a model's files would read: the demo, a folder, a snapshot in the cache, a Hub id's `folder`.

    Only the last asks the Hub, if it may: what the files of the others must be is known without.
    """
    from llavacli_core.hub import verify

    if folder is None and (model == DEMO or is_folder(model)):
        return verify.verification(DEMO_FOLDER if model == DEMO else Path(model), model)
    name = named(model)
    if folder is not None:
        return _against_the_hub(name, revision, Path(folder).expanduser(), offline=offline or is_offline())
    commit, snapshot = snapshot_of(name, revision, cache)
    return verify.verification(snapshot, name, commit)


def snapshot_of(name: str, revision: str | None, cache: Folder | None = None) -> tuple[str, Path]:
    """The commit and the folder of a revision in the cache, whole or not."""
    repository = Repository.of(name, cache)
    meant = repository.meant(revision)
    if len(meant) != 1:
        which = f"revision {revision!r} of {name}" if revision is not None else name
        pull_line = f"llavacli models pull {name}" + (f" --revision {revision}" if revision is not None else "")
        raise ModelMissing(f"{which} is not in the cache ({cache_folder(cache)})", hint=pull_line)
    return meant[0], repository.snapshot(meant[0])


def _against_the_hub(name: str, revision: str | None, folder: Path, *, offline: bool) -> Verification:
    """A folder's files against the Hub's listing, or offline against the notes of the download."""
    from llavacli_core.hub import verify
    from llavacli_core.hub.remote import list_files

    if not folder.is_dir():
        raise ModelMissing(f"{folder} is no folder", hint="check the path")
    if offline:
        return verify.verification(folder, name, revision)
    listing = list_files(name, revision, sorted)
    there = {file.name: (file.size, file.etag) for file in listing.files if (folder / file.name).exists()}
    return verify.verification(folder, name, listing.commit, there)
