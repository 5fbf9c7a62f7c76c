"""Where downloaded files are put: the Hub's shared cache, or a folder, as `hf download --local-dir` leaves it."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llavacli_core.hub.cache import COMMIT, MAIN, PARTIAL, Repository
from llavacli_core.hub.digest import Digest, chunks
from llavacli_core.hub.remote import RemoteFile


@dataclass(frozen=True)
class InCache:
    """A commit's snapshot in the shared cache, whose files are links to blobs."""

    repository: Repository
    commit: str

    @property
    def folder(self) -> Path:
        """Where the files are found."""
        return self.repository.snapshot(self.commit)

    def has(self, file: RemoteFile) -> bool:
        """Whether the file is there, whole by its size."""
        return _size(self.folder / file.name) == file.size

    def lock(self, file: RemoteFile) -> AbstractContextManager[Any]:
        """Keep others, huggingface_hub included, from writing the same bytes meanwhile."""
        return _lock(self.repository.locks / f"{file.etag}.lock")

    def partial(self, file: RemoteFile) -> Path:
        """What has come of the file so far."""
        return self.repository.blob(file.etag + PARTIAL)

    def adopt(self, file: RemoteFile) -> bool:
        """Link what is in the cache already, of another revision, or fetched by another process meanwhile."""
        if _size(self.repository.blob(file.etag)) != file.size:
            return False
        self._link(file)
        return True

    def take(self, file: RemoteFile) -> None:
        """The file has come: give the partial its name, over a damaged one too."""
        os.replace(self.partial(file), self.repository.blob(file.etag))
        self._link(file)

    def finish(self, revision: str | None) -> None:
        """All has come: note which commit the branch or tag stands at, as huggingface_hub does."""
        name = revision or MAIN
        if ".." in Path(name).parts:
            return
        if not COMMIT.fullmatch(name) and self.repository.commit(name) != self.commit:
            _write(self.repository.folder / "refs" / name, self.commit)

    def _link(self, file: RemoteFile) -> None:
        """A link from the snapshot to the blob; where the file system has none, the file itself moves."""
        blob, link = self.repository.blob(file.etag), self.folder / file.name
        link.parent.mkdir(parents=True, exist_ok=True)
        fresh = link.with_name(f".{link.name}.{os.getpid()}.new")
        with suppress(FileNotFoundError):
            fresh.unlink()
        try:
            os.symlink(os.path.relpath(blob, link.parent), fresh)
        except (OSError, NotImplementedError):
            os.replace(blob, link)
        else:
            os.replace(fresh, link)


@dataclass(frozen=True)
class InFolder:
    """A folder of the user's; beside the files, in .cache/huggingface, stands what the Hub said of each."""

    folder: Path
    commit: str

    def has(self, file: RemoteFile) -> bool:
        """Whether the file is there, whole by its size, and noted as this very one."""
        return _size(self.folder / file.name) == file.size and noted(self.folder).get(file.name) == file.etag

    def lock(self, file: RemoteFile) -> AbstractContextManager[Any]:
        """Keep others from writing the same file meanwhile."""
        return _lock(self._beside(file, ".lock"))

    def partial(self, file: RemoteFile) -> Path:
        """What has come of the file so far."""
        return self._beside(file, f".{file.etag}{PARTIAL}")

    def adopt(self, file: RemoteFile) -> bool:
        """Keep a file that came some other way, if its bytes are the right ones."""
        if _size(self.folder / file.name) != file.size:
            return False
        digest = Digest(file.etag, file.size)
        with open(self.folder / file.name, "rb") as there:
            for chunk in chunks(there):
                digest.update(chunk)
        if digest.agrees:
            self._note(file)
        return digest.agrees

    def take(self, file: RemoteFile) -> None:
        """The file has come: move it to its place."""
        os.replace(self.partial(file), self.folder / file.name)
        self._note(file)

    def finish(self, revision: str | None) -> None:
        """Nothing: each file has its note."""

    def _note(self, file: RemoteFile) -> None:
        """As huggingface_hub writes it: the commit, the hash, the time."""
        _write(self._beside(file, METADATA), f"{self.commit}\n{file.etag}\n{time.time()}\n")

    def _beside(self, file: RemoteFile, ending: str) -> Path:
        return self.folder / NOTES / (file.name + ending)


Place = InCache | InFolder
NOTES = Path(".cache", "huggingface", "download")
METADATA = ".metadata"


def noted(folder: Path) -> dict[str, str]:
    """The hashes that a download to a folder noted, by file."""
    notes = {}
    for path in (folder / NOTES).glob(f"*{METADATA}"):
        with suppress(OSError, UnicodeDecodeError, IndexError):
            notes[path.name.removesuffix(METADATA)] = path.read_text("utf-8").splitlines()[1].strip()
    return notes


def free_bytes(folder: Path) -> int:
    """Room on the disk that the folder is on, or will be."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _size(file: Path) -> int | None:
    """A file's bytes, of a link those of what it leads to; None where there is none."""
    try:
        return file.stat().st_size
    except OSError:
        return None


def _lock(file: Path) -> AbstractContextManager[Any]:
    from huggingface_hub import utils

    file.parent.mkdir(parents=True, exist_ok=True)
    lock: AbstractContextManager[Any] = utils.WeakFileLock(file)  # type: ignore[attr-defined]
    return lock


def _write(file: Path, text: str) -> None:
    """The whole text or nothing, whoever reads it meanwhile."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.{os.getpid()}.new")
    fresh.write_text(text, "utf-8")
    os.replace(fresh, file)
