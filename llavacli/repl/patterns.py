"""What /image is given: paths, patterns and URLs, in the spellings of a shell -> the pictures and clips they name."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from llavacli.repl import spelling
from llavacli.repl.attachments import folder_hint
from llavacli.repl.lookup import Lookup, Seen, reason_against, state_of
from llavacli.repl.spelling import BLANKS, Spelling
from llavacli.sources import Source, is_url

if TYPE_CHECKING:
    import llavacli_core as core


def expand(argument: str) -> list[Source]:
    """The sources in the order given, the matches of a pattern (`*`, `?`, `[…]`, `**`) sorted.

    Quotes and backslashes make blanks and a pattern's characters common ones; an existing name is no pattern. Raises
    MissingInput, UnreadableInput and UrlError for the first that names neither a picture nor a clip.
    """
    lookup = Lookup()
    whole = next(spelling.line(argument, 0), None)
    if whole is not None and len(argument.split()) > 1:  # unmarked blanks may be a name's
        there = [seen for seen in map(lookup, whole.readings) if seen.state != "missing" and not is_url(seen.source)]
        if there:
            return [_source(argument.strip(), there[0])]
    sources: list[Source] = []
    at = 0
    while (at := spelling.skip_blanks(argument, at)) < len(argument):
        words = _words(argument, at)
        taken = _taken(words, lookup)
        if taken is not None:
            word, seen = taken
            sources.append(_source(word.readings[0], seen))
        else:
            word = words[0]
            sources += _matches(argument[word.start : word.end], word.readings[0], lookup)
        at = word.end
    return sources


def _words(argument: str, at: int) -> list[Spelling]:
    """The spellings of a word that reach to a blank; at least the word as it is."""
    end = spelling.raw_end(argument, at)
    reach = [each for each in spelling.spellings(argument, at) if argument[each.end : each.end + 1] in ("", *BLANKS)]
    return reach or [Spelling(at, end, (argument[at:end],))]


def _taken(words: Iterable[Spelling], lookup: Lookup) -> tuple[Spelling, Seen] | None:
    """The first that is a picture, a clip or a URL."""
    for word in words:
        for name in word.readings:
            seen = lookup(name)
            if seen.kind is not None or is_url(name):
                return word, seen
    return None


def _source(name: str, seen: Seen) -> Source:
    """What was found, as the core is given it. Raises InputError."""
    if seen.kind is None and not is_url(seen.source):
        raise _error(name, seen)
    return Source(seen.source, seen.source, is_clip=seen.kind == "video")


def _matches(word: str, name: str, lookup: Lookup) -> list[Source]:
    """The pictures and clips that a pattern matches. Raises InputError for none, and for what is no pattern."""
    import llavacli_core as core

    pattern = os.path.expanduser(spelling.unescaped(word, plain=glob.escape))
    if not glob.has_magic(spelling.unescaped(word, plain=lambda _: "")) or lookup(name).state != "missing":
        raise _error(name, lookup(name))
    found = sorted(path for path in glob.glob(pattern, recursive=True) if not os.path.isdir(path))
    if not found:
        raise core.errors.MissingInput(f"{word}: no file matches", hint="check the pattern")
    states = [(path, state_of(path)) for path in found]
    sources = [Source(path, path, is_clip=state == "video") for path, state in states if state in ("image", "video")]
    if not sources:
        what = "a file matches, and is" if len(found) == 1 else f"{len(found)} files match, and all are"
        raise core.errors.UnreadableInput(f"{word}: {what} no picture and no clip", hint="check the pattern")
    return sources


def _error(name: str, seen: Seen) -> core.errors.InputError:
    """Why a name is no source."""
    import llavacli_core as core

    code, reason, hint = reason_against(seen, name)
    kinds = {"input_missing": core.errors.MissingInput, "url": core.errors.UrlError}
    if seen.state == "folder":
        hint = folder_hint(seen.source)
    elif code == "input_missing":
        hint = "check the path, and quote it if it has blanks"
    return kinds.get(code, core.errors.UnreadableInput)(f"{name}: {reason}", hint=hint)
