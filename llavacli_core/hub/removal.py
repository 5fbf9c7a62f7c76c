"""Removing models from the shared cache: revisions, the blobs that no other revision shares, and nothing else."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from llavacli_core.errors import BadOption, CannotWrite, ModelMissing
from llavacli_core.hub.cache import Repository, files_in


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
        if self._shares:
            return int(self._by_the_hub().expected_freed_size)
        files = [folder / name for folder in self.folders for name in files_in(folder)]
        own = [file for file in files if file.is_file() and not file.is_symlink() and file not in self.blobs]
        return sum(path.stat().st_size for path in (*self.blobs, *own))

    def run(self) -> None:
        """Remove it: first what leads to the files, then the files, so that a cut leaves nothing that looks whole."""
        try:
            self._remove()
        except OSError as error:
            raise CannotWrite(
                f"{self.id} could not be removed: {error.filename}: {error.strerror}", hint="see whose files they are"
            ) from error

    def _remove(self) -> None:
        if self._shares:
            self._by_the_hub().execute()
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
            _remove(self.repository.locks)

    def _blobs(self, commit: str) -> set[Path]:
        """Where the links of a snapshot lead, one step of the way."""
        snapshot = self.repository.snapshot(commit)
        links = (snapshot / name for name in files_in(snapshot))
        return {_target(link) for link in links}

    @property
    def _shares(self) -> bool:
        """Whether blobs are links to a store that repositories have in common."""
        return any(blob.is_symlink() for blob in self.blobs)

    def _by_the_hub(self) -> Any:
        """The same as huggingface_hub would do it, which knows when the last link to a shared blob goes."""
        from huggingface_hub import scan_cache_dir

        scanned = scan_cache_dir(self.repository.folder.parent)
        # It takes a commit for the first repository that has it; one that was renamed is there twice.
        ours = frozenset(repo for repo in scanned.repos if repo.repo_path.name == self.repository.folder.name)
        known = {revision.commit_hash for repo in ours for revision in repo.revisions}
        return replace(scanned, repos=ours).delete_revisions(*(commit for commit in self.commits if commit in known))


def plan_removal(name: str, revision: str | None = None, cache: str | PathLike[str] | None = None) -> Removal:
    """What removing a model, or one revision of it (a branch, a tag, a commit or its beginning), would take away."""
    repository = Repository.of(name, cache)
    if not repository.folder.is_dir():
        raise ModelMissing(f"{name} is not in the cache", hint="llavacli models ls lists what is")
    commits = repository.commits()
    if revision is None:
        return Removal(repository=repository, commits=tuple(commits), whole=True)
    chosen = repository.meant(revision)
    if len(chosen) > 1:
        raise BadOption(f"{revision} is the beginning of {len(chosen)} revisions", hint="give more of it")
    if not chosen:
        raise ModelMissing(f"{name} has no revision {revision!r} in the cache", hint="llavacli models ls lists them")
    return Removal(repository=repository, commits=tuple(chosen), whole=chosen == commits)


def _target(link: Path) -> Path:
    """Where a link leads, one step of the way; a file that is none is its own."""
    try:
        return Path(os.path.normpath(link.parent / os.readlink(link)))
    except OSError:
        return link


def _remove(path: Path) -> None:
    """A folder, whatever is in it, if it is still there; links are removed, not followed."""
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
