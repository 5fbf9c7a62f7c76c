"""From paths, folders and lists of paths to pictures, each once, in an order that stays."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from llavacli import stdin
from llavacli.captioning.options import InputOptions
from llavacli.captioning.picture import Picture
from llavacli.captioning.walking import Filter, walk
from llavacli.endings import SHARED_ENDINGS, promises_clip, promises_picture
from llavacli.failures import UsageError
from llavacli.sources import STDIN, STDIN_LIMIT, Source, is_url, of_stdin, too_long, unreadable, url_path


@dataclass(frozen=True)
class Collected:
    """The pictures, and how many clips were left out since nobody asked for clips."""

    pictures: list[Picture]
    clips_left_out: int


def collect(names: Sequence[str], options: InputOptions) -> Collected:
    """All pictures that were named: files by content, in folders by their endings."""
    if options.null and options.files_from is None:
        raise UsageError("--null is about the paths of --files-from", hint="add --files-from - to read them from stdin")
    paths = list(names)
    if options.files_from is not None:
        if STDIN in names and options.files_from == STDIN:
            raise UsageError("stdin can be read only once", hint="give - once")
        paths += listed(options.files_from, null=options.null)
    elif not paths:
        if not stdin.has_input():
            raise UsageError("no picture given", hint="name files or folders; --help has examples")
        paths = [STDIN]
    pictures, seen, left_out = [], set[tuple[str, str]](), 0
    real = cache(os.path.realpath)
    for picture in _found(paths, options):
        place = (real(picture.folder), picture.name) if picture.is_file else ("", picture.path)
        if place in seen:  # by whatever links its folder was reached
            continue
        seen.add(place)
        if picture.is_clip and not options.videos:
            left_out += 1
        else:
            pictures.append(picture)
    return Collected(pictures, left_out)


def listed(file: str, *, null: bool) -> list[str]:
    """The paths in a file, or for `-` on stdin; one called `-` is a file of that name."""
    if file == STDIN:
        data = _list_on_stdin()
    else:
        try:
            with open(file, "rb") as opened:
                data = opened.read()
        except OSError as error:
            raise UsageError(f"{file}: {error.strerror}", hint="--files-from takes a list of paths") from error
    if null:
        lines = data.split(b"\0")
    elif b"\0" in data:
        raise UsageError("the list of paths holds NUL", hint="add -0 for a list as find -print0 has it")
    else:  # Windows' editors end lines, and begin files, in a way of their own
        lines = [line.removesuffix(b"\r") for line in data.removeprefix(codecs.BOM_UTF8).split(b"\n")]
    return ["./-" if line == b"-" else os.fsdecode(line) for line in lines if line]


def _list_on_stdin() -> bytes:
    """The list; one without a path is a list as well, but where stdin is closed there is none."""
    import llavacli_core as core

    try:
        return stdin.read(STDIN_LIMIT)
    except OSError as error:
        raise core.errors.UnreadableInput(
            f"--files-from -: stdin cannot be read ({error.strerror})",
            hint="pipe the paths into it, or name the file that holds them",
        ) from error


def _found(paths: Sequence[str], options: InputOptions) -> Iterator[Picture]:
    """What each path stands for."""
    for path in paths:
        if path == STDIN:
            yield _of_stdin()
        elif is_url(path):
            yield Picture(path=path, within=path, is_clip=promises_clip(url_path(path)))
        else:
            yield from _on_disk(path, options)


def _on_disk(name: str, options: InputOptions) -> Iterator[Picture]:
    """What a path stands for; a file:// URL, as file managers list them, is the path that it means."""
    import llavacli_core as core

    try:
        path = (core.local_path(name) if "://" in name else None) or name
    except core.errors.UrlError as error:
        yield Picture(path=name, within=name, error=error)
        return
    if os.path.isdir(path):
        yield from _in_folder(path, options)
    else:
        yield _named(path)


def _in_folder(folder: str, options: InputOptions) -> Iterator[Picture]:
    """The pictures in a folder, and clips; folders that cannot be read are pictures that cannot."""
    import llavacli_core as core

    which = Filter(recursive=options.recursive, include=options.include or (), exclude=options.exclude or ())
    found = walk(folder, which)
    for within in found.files:
        is_clip = promises_clip(within) and not within.lower().endswith(SHARED_ENDINGS)
        if is_clip or promises_picture(within):
            yield Picture(path=os.path.join(folder, within), within=within, is_clip=is_clip)
    for inside, error in found.closed:
        path = os.path.join(folder, inside)
        known = too_long(path, error) or core.errors.UnreadableInput(
            f"{path}: {error.strerror}", hint="check the folder's permissions"
        )
        yield Picture(path=path, within=inside, error=known)


def _named(path: str) -> Picture:
    """A file that was named."""
    import llavacli_core as core

    error = unreadable(Source(path, path))
    return Picture(path=path, within=os.path.basename(path), is_clip=error is None and core.is_video(path), error=error)


def _of_stdin() -> Picture:
    """The bytes on stdin."""
    import llavacli_core as core

    content = of_stdin()
    error = None if content else core.errors.UnreadableInput("stdin is empty", hint="pipe a picture into it")
    return Picture(path=STDIN, within=STDIN, is_clip=core.is_video(content), content=content, error=error)
