"""The files in a folder, links to folders followed once, whatever loops they make."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

from llavacli.captioning.order import natural

_ANY_FOLDERS = re.compile(r"(?<![^/])(?:\*\*/)+")


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What of a folder counts."""

    recursive: bool = True
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()

    def takes(self, within: str) -> bool:
        """Whether a file does, by its path within the folder."""
        return not self.leaves_out(within) and (not self.include or _matches(within, self.include))

    def leaves_out(self, within: str) -> bool:
        """Whether a file or a folder is excluded."""
        return _matches(within, self.exclude)


@dataclass(frozen=True)
class Found:
    """A folder's files as paths within it, in natural order; and the folders that could not be read, with why."""

    files: list[str]
    closed: list[tuple[str, OSError]]


def walk(folder: str, which: Filter) -> Found:
    """All files below a folder. Hidden files and folders are left out.

    Each folder is entered once: by its own path, if it can be reached by that and by a link.
    """
    found = Found([], [])
    entered: set[tuple[int, int]] = set()
    own, links = [""], list[str]()
    while own or links:
        inside = own.pop() if own else links.pop(0)
        try:
            status = os.stat(os.path.join(folder, inside))
            identity = (status.st_dev, status.st_ino)
            if identity in entered:
                continue
            entered.add(identity)
            _list(folder, inside, which, found.files, own, links)
        except OSError as error:
            found.closed.append((inside, error))
    found.files.sort(key=natural)
    return found


def _list(folder: str, inside: str, which: Filter, files: list[str], own: list[str], links: list[str]) -> None:
    """Sort what one folder holds into files, folders, and links to folders."""
    with os.scandir(os.path.join(folder, inside)) as entries:
        for entry in entries:
            within = f"{inside}/{entry.name}" if inside else entry.name
            if entry.name.startswith(".") or which.leaves_out(within):
                continue
            if not _is_folder(entry):
                if which.takes(within):
                    files.append(within)
            elif which.recursive:
                (links if entry.is_symlink() else own).append(within)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder or a link to one; a link in a circle of links is neither."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _matches(within: str, globs: Sequence[str]) -> bool:
    """Whether a path within a folder fits one of the globs: a name by itself, one with a slash by the whole path."""
    name = within.rpartition("/")[2]
    return any(
        fnmatchcase(within if "/" in glob.rstrip("/") else name, spelling)
        for glob in globs
        for spelling in _spellings(glob.rstrip("/"))
    )


@cache
def _spellings(glob: str) -> tuple[str, ...]:
    """The globs that one stands for: its `**/` are some folders, or none."""
    first, *rest = _ANY_FOLDERS.split(glob)
    spellings = {first}
    for part in rest:
        spellings = {before + folders + part for before in spellings for folders in ("", "*/")}
    return tuple(spellings)
