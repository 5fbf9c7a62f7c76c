"""From what the user named to an attachment: told apart, checked, and opened at once, so that a bad one is said now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from llavacli.failures import UsageError
from llavacli.options import GenerationOptions
from llavacli.repl.turns import Attachment
from llavacli.sources import STDIN, Source, named, unreadable

if TYPE_CHECKING:
    import llavacli_core as core


def source_of(name: str, options: GenerationOptions, *, clip: bool = False) -> Source:
    """What a name stands for; `clip` says that it is meant as one. Raises UsageError for stdin, InputError."""
    if name == STDIN:
        raise UsageError("stdin brings what is said, so - cannot be a picture", hint="name a file or a URL")
    (source,) = named([name], animations=clip or options.frames is not None or options.fps is not None)
    error = unreadable(source)
    if error is not None:
        raise error
    return replace(source, is_clip=source.is_clip or clip)


def part_of(source: Source, options: GenerationOptions, marks: Sequence[core.Mark] = ()) -> core.Image | core.Video:
    """A source as a part of a message, by the settings."""
    import llavacli_core as core

    if not source.is_clip:
        return core.Image(source.content, max_tiles=options.max_tiles, marks=marks)
    if marks:
        raise UsageError(f"{source.name}: marks are drawn on pictures, and this is a clip", hint="mark a picture")
    return core.Video(source.content, frames=options.frames, fps=options.fps)


def opened(
    session: core.Session, options: GenerationOptions, source: Source, number: int, marks: Sequence[core.Mark] = ()
) -> Attachment:
    """The attachment, opened as the model will get it. Raises InputError, or BadOption if it takes none of its kind."""
    part = part_of(source, options, marks)
    return Attachment(number=number, source=source, part=part, seen=session.open(part).seen)


def marks_of(attachment: Attachment) -> tuple[core.Mark, ...]:
    """What is drawn on it."""
    return tuple(getattr(attachment.part, "marks", ()))
