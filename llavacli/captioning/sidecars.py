"""Captions kept beside their pictures, each in a file of its own that is there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from llavacli.captioning.journal import Journal
from llavacli.captioning.locking import allow_many_files, lock
from llavacli.captioning.options import BY_STEM
from llavacli.captioning.outcome import Outcome, State
from llavacli.captioning.picture import Item, Picture
from llavacli.captioning.sharding import Shard
from llavacli.endings import promises
from llavacli.failures import UsageError
from llavacli.streams import cannot_write
from llavacli.writing import sync_folder

JOURNAL = ".llavacli-captions"
LONGEST_NAME = 255  # bytes


class Naming:
    """What sidecars are called."""

    def __init__(self, ending: str, name: str) -> None:
        if not ending.startswith(".") or len(ending) < 2 or "/" in ending or "\0" in ending:
            raise UsageError(f"--sidecar {ending} is no ending", hint="e.g. --sidecar .txt or --sidecar .caption")
        if promises(f"a{ending}"):
            raise UsageError(f"--sidecar {ending} would make pictures of captions", hint="e.g. --sidecar .txt")
        self.ending = ending
        self._by_stem = name == BY_STEM

    def of(self, picture: Picture) -> str:
        """A picture's sidecar."""
        name = os.path.splitext(picture.name)[0] if self._by_stem else picture.name
        return os.path.join(picture.folder, name + self.ending)

    def checked(self, picture: Picture) -> Picture:
        """The picture, its error that its sidecar's name would be too long, if it is."""
        import llavacli_core as core

        if picture.error is not None or len(os.fsencode(os.path.basename(self.of(picture)))) <= LONGEST_NAME:
            return picture
        error = core.errors.UnsuitableOption(
            f"{picture.path}: its sidecar's name would be too long", hint="shorten it, or use -o FILE.jsonl"
        )
        return replace(picture, error=error)

    def refuse_shared(self, pictures: Sequence[Picture]) -> None:
        """Refuse two pictures with one sidecar, pictures that can have none, and sidecars that are pictures."""
        owners: dict[str, Picture] = {}
        files = {os.path.abspath(picture.path): picture for picture in pictures if picture.is_file}
        for picture in pictures:
            if not picture.is_file:
                raise UsageError(f"{picture.path}: has no place for a sidecar", hint="keep captions with -o FILE.jsonl")
            sidecar = os.path.abspath(self.of(picture))
            if sidecar in files:
                raise UsageError(
                    f"the sidecar of {picture.path} would be {files[sidecar].path}, a picture",
                    hint="choose another ending, e.g. --sidecar .caption",
                )
            other = owners.setdefault(sidecar, picture)
            if other is not picture:
                raise shared(other.path, picture.path, self.of(picture))


def shared(one: str, other: str, sidecar: str) -> UsageError:
    """Two pictures with one sidecar."""
    return UsageError(f"{one} and {other} would share {sidecar}", hint="--sidecar-name {name} gives each its own")


class Sidecars:
    """The sidecars of all pictures of a run; their folders are locked, a shard's for other shards only half."""

    def __init__(self, naming: Naming, pictures: Iterable[Picture], shard: Shard, *, overwrite: bool) -> None:
        self._naming, self._overwrite = naming, overwrite
        self._folders: dict[str, _Folder] = {}  # by the path that pictures have them by; two may be one
        allow_many_files()
        try:
            self._open(dict.fromkeys(picture.folder for picture in pictures if picture.error is None), shard)
        except BaseException:
            self.close(finished=False)
            raise

    def state(self, item: Item) -> State:
        """See Keeping."""
        sidecar = self._naming.of(item.picture)
        if os.path.lexists(sidecar):
            self._refuse_another(item.picture, sidecar)
            return "done"
        return "missing" if self.failed_with(item) is None else "failed"

    def failed_with(self, item: Item) -> str | None:
        """See Keeping."""
        folder = self._folder(item.picture)
        return None if folder is None else folder.journal.failed_with(os.path.basename(self._naming.of(item.picture)))

    def is_stale(self, item: Item, fingerprint: str) -> bool:
        """See Keeping."""
        folder, sidecar = self._folder(item.picture), self._naming.of(item.picture)
        try:
            with open(sidecar, encoding="utf-8", errors="surrogateescape") as file:
                text = file.read()
        except OSError:
            return False
        made_by = None if folder is None else folder.journal.fingerprint(os.path.basename(sidecar), text)
        return made_by not in (None, fingerprint)

    def put(self, outcome: Outcome) -> None:
        """See Sink. The journal is told first, as of a table."""
        folder = self._folder(outcome.item.picture)
        if folder is None:
            return
        name = os.path.basename(self._naming.of(outcome.item.picture))
        folder.journal.note(name, outcome)
        if outcome.text is not None:
            data = (outcome.text.strip() + "\n").encode("utf-8", "backslashreplace")
            folder.write(name, data, overwrite=self._overwrite)

    def close(self, *, finished: bool) -> None:
        """See Sink."""
        for folder in set(self._folders.values()):
            folder.close()

    def _open(self, paths: Iterable[str], shard: Shard) -> None:
        """Lock every folder, by whatever paths it is reached, once."""
        known: dict[str, _Folder] = {}
        for path in paths:
            real = os.path.realpath(path)
            if real not in known:
                known[real] = _Folder(path, shard)
            self._folders[path] = known[real]

    def _refuse_another(self, picture: Picture, sidecar: str) -> None:
        """Refuse to take another picture's caption for this one's, if that picture is still there."""
        folder = self._folder(picture)
        owner = None if folder is None else folder.journal.owner(os.path.basename(sidecar))
        if owner not in (None, picture.name) and os.path.lexists(os.path.join(picture.folder, str(owner))):
            raise shared(os.path.join(picture.folder, str(owner)), picture.path, sidecar)

    def _folder(self, picture: Picture) -> _Folder | None:
        return self._folders.get(picture.folder)


class _Folder:
    """A folder that sidecars are written into: its lock, its journal, and its one temporary file."""

    def __init__(self, path: str, shard: Shard) -> None:
        self._path = path
        own = JOURNAL if shard.count == 1 else f"{JOURNAL}.{shard.title}"
        try:
            self._fd = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
            lock(self._fd, path, shared=shard.count > 1)
            self._beside = os.path.join(path, f"{own}.part")
            with suppress(FileNotFoundError):
                os.unlink(self._beside)  # of a run that was killed: this one has the lock
            journal = os.path.join(path, f"{own}.jsonl")
            self.journal = Journal(journal, _others(path, journal))
        except OSError as error:
            raise cannot_write(path, error) from error

    def write(self, name: str, data: bytes, *, overwrite: bool) -> None:
        """Put a file there at once; one that is there already stays, unless it is to be replaced."""
        path = os.path.join(self._path, name)
        try:
            fd = self._temporary()
            try:
                with open(fd, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(fd)
                    self._name(fd, path, overwrite=overwrite)
                sync_folder(self._path)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(self._beside)
        except OSError as error:
            raise cannot_write(path, error) from error

    def close(self) -> None:
        """Let go of it."""
        self.journal.close()
        os.close(self._fd)

    def _temporary(self) -> int:
        """A file without a name, which leaves nothing behind; where there is no such thing, one with a name."""
        if hasattr(os, "O_TMPFILE") and os.path.isdir("/proc/self/fd"):
            with suppress(OSError):
                return os.open(self._path, os.O_TMPFILE | os.O_RDWR, 0o666)
        return os.open(self._beside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)

    def _name(self, fd: int, path: str, *, overwrite: bool) -> None:
        """Give the temporary file its name, taking care of what has that name already."""
        if not overwrite:
            with suppress(FileExistsError):
                if os.path.lexists(self._beside):
                    os.link(self._beside, path)
                else:
                    self._link(fd, path)
            return
        if not os.path.lexists(self._beside):
            self._link(fd, self._beside)
        os.replace(self._beside, path)

    def _link(self, fd: int, path: str) -> None:
        """Name a file that has no name: see linkat(2), which Python calls only if given a folder."""
        os.link(f"/proc/self/fd/{fd}", path, src_dir_fd=self._fd, follow_symlinks=True)


def _others(folder: str, own: str) -> tuple[str, ...]:
    """The journals of other shards: what they made is known too."""
    with os.scandir(folder) as entries:
        found = [entry.path for entry in entries if entry.name.startswith(JOURNAL) and entry.name.endswith(".jsonl")]
    return tuple(sorted(path for path in found if path != own))
