"""The Hub's shared cache on disk: repositories, their revisions, and the blobs that these share.

It is read without huggingface_hub, whose import takes longer than listing a cache does. Its documented layout:

    models--org--name/refs/main                     the commit that a branch or tag stood at
    models--org--name/snapshots/COMMIT/config.json  a link to ../../blobs/ETAG, or where there are no links the file
    models--org--name/blobs/ETAG                    named by its sha256 if it is large, by git's sha1 if it is small
    models--org--name/blobs/*.incomplete            a download that was cut short
    models--org--name/trees/COMMIT.json             what the Hub lists of that commit (not always there)
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

MAIN = "main"
PREFIX = "models--"
COMMIT = re.compile(r"[0-9a-f]{40}")
ETAG = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")  # git's sha1, sha256
PARTIAL = ".incomplete"
TRUE = ("1", "ON", "YES", "TRUE")  # as huggingface_hub reads its variables


def cache_folder(given: str | PathLike[str] | None = None) -> Path:
    """Where the cache is: as given, else by the variables that huggingface_hub heeds."""
    if given is not None:
        return Path(given).expanduser()
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache")
    hub = os.path.join(os.environ.get("HF_HOME") or os.path.join(home, "huggingface"), "hub")
    named = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or hub
    return Path(os.path.expandvars(os.path.expanduser(named)))


def is_offline() -> bool:
    """Whether the environment forbids to ask the Hub."""
    said = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return said.upper() in TRUE


@dataclass(frozen=True)
class Repository:
    """A model's folder in a cache, whether it is there or not."""

    folder: Path

    @classmethod
    def of(cls, name: str, cache: str | PathLike[str] | None = None) -> Repository:
        """The repository of a Hub id."""
        return cls(cache_folder(cache) / (PREFIX + name.replace("/", "--")))

    @property
    def id(self) -> str:
        """The Hub id; no part of one has two dashes in a row."""
        return self.folder.name.removeprefix(PREFIX).replace("--", "/")

    @property
    def locks(self) -> Path:
        """Where huggingface_hub and we lock blobs that are being written."""
        return self.folder.parent / ".locks" / self.folder.name

    def blob(self, etag: str) -> Path:
        """Where a file's bytes lie."""
        return self.folder / "blobs" / etag

    def snapshot(self, commit: str) -> Path:
        """The folder of a revision's files."""
        return self.folder / "snapshots" / commit

    def refs(self) -> dict[str, str]:
        """Branches and tags, and the commits they stood at when they were last asked for."""
        top = self.folder / "refs"
        files = [Path(root) / name for root, _, names in os.walk(top) for name in names]
        return {file.relative_to(top).as_posix(): _text(file) for file in sorted(files)}

    def commit(self, revision: str | None) -> str | None:
        """The commit that a branch, a tag or a commit means here; None where that is not known."""
        if revision is not None and COMMIT.fullmatch(revision):
            return revision
        wanted = revision or MAIN
        if ".." in Path(wanted).parts or Path(wanted).is_absolute():
            return None
        return _text(self.folder / "refs" / wanted) or None

    def commits(self) -> list[str]:
        """The revisions that have a folder."""
        return sorted(entry for entry in _listed(self.folder / "snapshots") if COMMIT.fullmatch(entry))

    def meant(self, revision: str | None) -> list[str]:
        """The commits here that a branch, a tag, a commit or its beginning may mean; without one, main or the only one.

        A beginning has at least four characters, as git wants it.
        """
        commits, named = self.commits(), self.commit(revision)
        if named in commits:
            return [named]
        if revision is None:
            return commits if len(commits) == 1 and named is None else []
        return [commit for commit in commits if len(revision) >= 4 and commit.startswith(revision)]

    def partials(self) -> list[Path]:
        """Downloads that were cut short, or are under way."""
        blobs = self.folder / "blobs"
        return [blobs / entry for entry in sorted(_listed(blobs)) if entry.endswith(PARTIAL)]


def repositories(cache: str | PathLike[str] | None = None) -> Iterator[Repository]:
    """Every model's folder in the cache, by name."""
    folder = cache_folder(cache)
    for entry in sorted(_listed(folder), key=str.lower):
        if entry.startswith(PREFIX) and (folder / entry).is_dir():
            yield Repository(folder / entry)


def files_in(snapshot: Path) -> list[str]:
    """The names of a snapshot's files, dangling links included."""
    found = [Path(root) / name for root, _, names in os.walk(snapshot) for name in names]
    return sorted(file.relative_to(snapshot).as_posix() for file in found)


def blob_name(file: Path) -> str | None:
    """The name of the blob that a snapshot's file is a link to; None where it is none."""
    try:
        name = os.path.basename(os.readlink(file))
    except OSError:
        return None
    return name if ETAG.fullmatch(name) else None


def recorded(snapshot: Path) -> dict[str, tuple[int, str]]:
    """What the cache notes of a snapshot's files: size and hash of each that the Hub listed; empty if nothing."""
    try:
        listed = json.loads((snapshot.parent.parent / "trees" / f"{snapshot.name}.json").read_bytes())["files"]
        return {name: (int(about["size"]), _hash(about)) for name, about in listed.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _hash(about: dict[str, Any]) -> str:
    return str(about.get("lfs_sha256") or about["blob_id"])


def _text(file: Path) -> str:
    """A short file's text; none where there is no file."""
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
