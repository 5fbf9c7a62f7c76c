"""Removing models from the shared cache: revisions, the blobs that no other revision shares, and nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from llavacli_core.checkpoint.cache import Repository, files_in
from llavacli_core.errors import BadOption, ModelMissing


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What is to go from one repository; nothing is touched before `run`."""

    repository: Repository
    commits: tuple[str, ...]
    whole: bool  # the repository's folder goes, with whatever is in it

    @property
    def id(self) -> str:
        """The Hub id."""
        return self.repository.id

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders that go."""
        if self.whole:
            return (self.repository.folder,)
        return tuple(self.repository.snapshot(commit) for commit in self.commits)

    @property
    def blobs(self) -> tuple[Path, ...]:
        """The blobs that go: those of these revisions alone, and of none that stays."""
        folder = self.repository.folder / "blobs"
        if self.whole:
            return tuple(sorted(path for path in folder.glob("*") if path.is_file() or path.is_symlink()))
        kept = {blob for commit in set(self.repository.commits()) - set(self.commits) for blob in self._blobs(commit)}
        gone = {blob for commit in self.commits for blob in self._blobs(commit)}
        return tuple(sorted(blob for blob in gone - kept if blob.parent == folder and blob.exists()))

    @property
    def freed(self) -> int:
        """Bytes that this gives back: of blobs, and of files where the cache has no links."""
        files = [folder / name for folder in self.folders for name in files_in(folder)]
        own = [file for file in files if file.is_file() and not file.is_symlink() and file not in self.blobs]
        return sum(path.stat().st_size for path in (*self.blobs, *own))

    def run(self) -> None:
        """Remove it: first what leads to the files, then the files, so that a cut leaves nothing that looks whole."""
        if any(blob.is_symlink() for blob in self.blobs):
            self._by_the_hub()
        for name, commit in self.repository.refs().items():
            if commit in self.commits:
                (self.repository.folder / "refs" / name).unlink(missing_ok=True)
        for commit in self.commits:
            (self.repository.folder / "trees" / f"{commit}.json").unlink(missing_ok=True)
        doomed = () if self.whole else self.blobs
        for folder in self.folders:
            _remove(folder)
        for blob in doomed:
            blob.unlink(missing_ok=True)
        if self.whole:
            with suppress(FileNotFoundError):
                _remove(self.repository.locks)

    def _blobs(self, commit: str) -> set[Path]:
        """Where the links of a snapshot lead, one step of the way."""
        snapshot = self.repository.snapshot(commit)
        links = (snapshot / name for name in files_in(snapshot))
        return {_target(link) for link in links}

    def _by_the_hub(self) -> None:
        """Blobs that repositories share are counted by huggingface_hub, which knows when the last one goes."""
        from huggingface_hub import scan_cache_dir

        scanned = scan_cache_dir(self.repository.folder.parent)
        known = {revision.commit_hash for repo in scanned.repos for revision in repo.revisions}
        scanned.delete_revisions(*(commit for commit in self.commits if commit in known)).execute()


def plan_removal(name: str, revision: str | None = None, cache: str | PathLike[str] | None = None) -> Removal:
    """What removing a model, or one revision of it (a branch, a tag, a commit or its beginning), would take away."""
    repository = Repository.of(name, cache)
    if not repository.folder.is_dir():
        raise ModelMissing(f"{name} is not in the cache", hint="llavacli models ls lists what is")
    commits = repository.commits()
    if revision is None:
        return Removal(repository=repository, commits=tuple(commits), whole=True)
    chosen = _commits(repository, revision, commits)
    return Removal(repository=repository, commits=chosen, whole=set(chosen) == set(commits))


def _commits(repository: Repository, revision: str, commits: Sequence[str]) -> tuple[str, ...]:
    """The one commit that is meant."""
    named = repository.commit(revision)
    if named is not None and named in commits:
        return (named,)
    begun = [commit for commit in commits if commit.startswith(revision)] if len(revision) >= 4 else []
    if len(begun) == 1:
        return tuple(begun)
    if begun:
        raise BadOption(f"{revision} is the beginning of {len(begun)} revisions", hint="give more of it")
    raise ModelMissing(
        f"{repository.id} has no revision {revision!r} in the cache", hint="llavacli models ls lists those it has"
    )


def _target(link: Path) -> Path:
    """Where a link leads, one step of the way; a file that is none is its own."""
    try:
        return Path(os.path.normpath(link.parent / os.readlink(link)))
    except OSError:
        return link


def _remove(path: Path) -> None:
    """A folder, whatever is in it; links are removed, not followed."""
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path)
