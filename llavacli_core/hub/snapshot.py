"""A Hub id to a folder: the snapshot in the shared cache, or fetched into it. Only the files that loading needs.

What fetches is imported by those who fetch: every start with a model comes by here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from llavacli_core.events import Progress
from llavacli_core.hub.cache import Repository, recorded
from llavacli_core.hub.needed import missing_files, wanted


def cached(name: str, revision: str | None, *, weights: bool = True, words: bool = True) -> Path | None:
    """The snapshot of `name` in the shared cache, when it holds all that loading needs."""
    repository = Repository.of(name)
    commit = repository.commit(revision)
    if commit is None:
        return None
    folder = repository.snapshot(commit)
    if missing_files(folder, weights=weights, words=words):
        return None
    return folder if all((folder / name).is_file() for name in wanted(recorded(folder), weights=weights)) else None


def fetch(name: str, revision: str | None, *, offline: bool = False, weights: bool = True, words: bool = True) -> Path:
    """Download without a word; gives the snapshot's folder."""
    from llavacli_core.hub.pull import plan_pull

    pull = plan_pull(name, revision, offline=offline, weights=weights, words=words)
    for _ in pull.run():
        pass
    return pull.folder


def download(name: str, revision: str | None = None) -> Iterator[Progress]:
    """Download, and say how far it is, as it goes."""
    from llavacli_core.hub.pull import plan_pull

    yield from plan_pull(name, revision).run()
