"""What is there under a name that was read from a line: the paths that it may mean, and a picture or a clip at one."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from llavacli.endings import promises, promises_clip, promises_picture
from llavacli.repl.spelling import BLANKS, CLOSING, has_drive, is_signed
from llavacli.sources import is_url, url_path

Kind = Literal["image", "video"]
State = Literal["image", "video", "missing", "folder", "denied", "empty", "special", "other"]

UNLIKELY = 1000  # names without an ending of pictures or clips that are looked up in one text
LISTED = 20_000  # entries of a folder that are compared with a name

REASONS: dict[State, tuple[str, str, str]] = {  # code, reason, what to do
    "missing": ("input_missing", "no such file", "check the path, or write it in `backticks` to send it as text"),
    "folder": ("input_unreadable", "is a folder, not a picture", "name the pictures in it"),
    "denied": ("input_unreadable", "permission denied", "make the file readable"),
    "empty": ("input_unreadable", "the file is empty", "give a picture or a clip"),
    "special": ("input_unreadable", "is not a regular file", "give a picture's or a clip's file"),
    "other": ("input_unreadable", "is no picture and no clip that can be read", "convert it to JPEG, PNG or MP4 first"),
}

_WSL_SHARE = re.compile(r"[\\/]{2}wsl(?:\$|\.localhost)[\\/]([^\\/]+)", re.I)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.I)
_NO_URL = re.compile(rf"[{BLANKS}<>\"`]")
_DRIVE = re.compile(r"([A-Za-z]):[\\/]")
_ALIKE = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "\u200e": None, "\u200f": None, "\u200b": None})


@dataclass(frozen=True)
class Seen:
    """What a name came to: the path or URL that is it, or that best says what is wrong, and all that were tried."""

    source: str
    state: State
    tried: tuple[str, ...] = ()

    @property
    def kind(self) -> Kind | None:
        """Whether it is a picture or a clip; None for neither."""
        return self.state if self.state in ("image", "video") else None


class Lookup:
    """Looks names up, each once; those that promise neither picture nor clip only as long as they are not many."""

    def __init__(self) -> None:
        self._seen: dict[str, Seen] = {}
        self._folders: dict[str, dict[str, str]] = {}
        self._unlikely = 0

    def __call__(self, name: str) -> Seen:
        """What a name means: a URL by its ending, a path by what is there."""
        if name not in self._seen:
            if is_url(name):
                return Seen(name, url_kind(name) or "other")
            if not promises(name):
                self._unlikely += 1
                if self._unlikely > UNLIKELY:
                    return Seen(name, "missing")
            self._seen[name] = self._looked_up(name)
        return self._seen[name]

    def _looked_up(self, name: str) -> Seen:
        """The first of its paths that is a picture or a clip; else the first that is there; else one spelled alike."""
        found: list[Seen] = []
        for path in paths(name):
            seen = Seen(path, state_of(path))
            if seen.kind is not None:
                return seen
            found.append(seen)
        tried = tuple(each.source for each in found)
        there = next((each for each in found if each.state != "missing"), None)
        if there is not None:
            return Seen(there.source, there.state, tried)
        for path in filter(None, (self._spelled_alike(each) for each in tried if promises(each))):
            seen = Seen(path, state_of(path))
            if seen.kind is not None:
                return seen
        return Seen(tried[0] if tried else name, "missing", tried)

    def _spelled_alike(self, path: str) -> str | None:
        """A file beside a path whose name only looks the same: what is copied from a window loses odd blanks."""
        folder, name = os.path.split(path)
        if folder not in self._folders:
            self._folders[folder] = {_alike(entry): entry for entry in names_in(folder)}
        entry = self._folders[folder].get(_alike(name))
        return None if entry is None else os.path.join(folder, entry)


def url_kind(url: str) -> Kind | None:
    """What a URL's ending promises; None for a page."""
    path = url_path(url)
    if path.count("/") < 3 or url[-1] in CLOSING or _NO_URL.search(url):  # a host alone; the end of a sentence; more
        return None
    return "image" if promises_picture(path) else "video" if promises_clip(path) else None


def paths(name: str) -> Iterator[str]:
    """The paths that a name may mean: a file URL's, itself, with its `~` expanded, as WSL mounts Windows' drives.

    A leading `@` may be the sign that a file's name follows.
    """
    if not name or "\0" in name:
        return
    if name[:5].lower() == "file:":
        local = path_of_url(name)
        if local is None:
            return
        name = local
    yield name
    if name.startswith("~") and (home := os.path.expanduser(name)) != name:
        yield home
    if (mounted := wsl_path(name)) is not None:
        yield mounted
    if name.startswith("@"):
        yield from paths(name[1:])


def path_of_url(url: str) -> str | None:
    """The path that a file URL names (RFC 8089); None if it is on another machine."""
    from urllib.parse import unquote

    rest = url[5:]
    if rest.startswith("//"):
        import platform

        host, slash, path = rest[2:].partition("/")
        if host.lower() not in ("", "localhost", platform.node().lower()):
            return None
        rest = slash + path
    path = unquote(rest, errors="surrogateescape")
    return path[1:] if has_drive(path[1:]) else path


def wsl_path(name: str, distribution: str | None = None) -> str | None:
    r"""Where WSL has a path of Windows: `C:\x` in /mnt/c/x, `\\wsl$\Ubuntu\x` in /x; None outside, or for others."""
    ours = os.environ.get("WSL_DISTRO_NAME") if distribution is None else distribution
    if not ours or not has_drive(name):
        return None
    if (share := _WSL_SHARE.match(name)) is not None:
        inside = name[share.end() :].replace("\\", "/")
        return inside or "/" if share[1].lower() == ours.lower() else None
    drive = _DRIVE.match(name)
    if drive is None:
        return None
    return f"/mnt/{drive[1].lower()}/" + name[drive.end() :].replace("\\", "/")


def state_of(path: str) -> State:
    """What is at a path, told by its content."""
    import llavacli_core as core

    try:
        status = os.stat(path)
    except PermissionError:
        return "denied"
    except (OSError, ValueError):
        return "missing"
    if stat.S_ISDIR(status.st_mode):
        return "folder"
    if not stat.S_ISREG(status.st_mode):
        return "special"
    if status.st_size == 0:
        return "empty"
    if core.is_video(path):
        return "video"
    if core.is_picture(path):
        return "image"
    return "other" if os.access(path, os.R_OK) else "denied"


def reason_against(seen: Seen, name: str) -> tuple[str, str, str]:
    """The code, the reason and the next step for what is neither a picture nor a clip."""
    scheme = _SCHEME.match(name)
    if name[:5].lower() == "file:":
        if not seen.tried:
            return "url", "names a file on another machine", "copy it here, and give its path"
    elif scheme is not None and seen.state == "missing":
        return "url", f"{scheme[1].lower()} URLs are not supported", "use http, https or a path"
    code, reason, hint = REASONS[seen.state]
    if seen.state == "missing" and not is_signed(name) and re.match(r"[\w-]+(\.[\w-]+)+/", name):
        hint = "put https:// before it if it is an address, or check the path"
    return code, reason, hint


def names_in(folder: str) -> list[str]:
    """What a folder holds, in order; nothing if it cannot be read."""
    try:
        with os.scandir(folder or ".") as entries:
            return sorted(entry.name for entry in islice(entries, LISTED))
    except (OSError, ValueError):
        return []


def _alike(name: str) -> str:
    """A name as people see it: whatever blanks and quotes it has, and however its accents are stored."""
    text = unicodedata.normalize("NFC", name).translate(_ALIKE)
    return "".join(" " if character.isspace() else character for character in text)
