"""Turns as they are written down: for the store, and for export."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from llavacli.loading import model_name
from llavacli.options import GenerationOptions, ModelOptions
from llavacli.repl.turns import Attachment, Turn
from llavacli.sessions import records
from llavacli.sources import is_url

if TYPE_CHECKING:
    import llavacli_core as core

Keep = Callable[[bytes], "str | None"]  # makes a copy of what has no file; its path


def header_of(model: ModelOptions, generation: GenerationOptions) -> records.Header:
    """What holds for a whole conversation; of the settings, those that were changed."""
    name = model_name(model)
    settings = {setting: getattr(generation, setting) for setting in changed_settings(generation)}
    return records.Header(
        model=os.path.abspath(name) if os.path.isfile(os.path.join(name, "config.json")) else name,
        revision=model.revision,
        template=model.template,
        system=generation.system,
        settings=settings,
    )


def changed_settings(generation: GenerationOptions) -> list[str]:
    """The names of the settings that are not the default."""
    names = [field.name for field in fields(generation) if field.name not in ("prompt", "system")]
    return [name for name in names if getattr(generation, name) != getattr(GenerationOptions(), name)]


def parts_of(turn: Turn, keep: Keep) -> tuple[records.Part, ...]:
    """What a turn is made of: its attachments, then its words as they were typed."""
    return (*(_attachment(each, keep) for each in turn.attachments), *([turn.text] if turn.text else []))


def answer_of(turn: Turn, done: core.Done, info: core.ModelInfo) -> records.Turn:
    """An answer and how it came about."""
    return records.Turn(
        role="assistant",
        parts=(done.text,),
        finish_reason=done.finish_reason,
        model=info.id,
        params=turn.question.params(done.max_tokens),
        usage=asdict(done.usage),
        timing_ms={name: round(value) for name, value in asdict(done.timing).items()},
    )


def document_of(id_: str | None, header: records.Header, turns: Sequence[Turn]) -> records.Conversation:
    """The conversation as it is exported; of attachments without a file, only what is known of them."""
    rows = []
    for turn in turns:
        rows.append(records.Turn(role="user", parts=parts_of(turn, lambda _: None), created=turn.created))
        rows += [] if turn.kept is None else [turn.kept]
    begun = rows[0].created if rows else records.now()
    return records.Conversation(
        id=id_, title=records.title_of(rows), created=begun, updated=records.now(), header=header, turns=tuple(rows)
    )


def _attachment(attachment: Attachment, keep: Keep) -> records.Attachment:
    """An attachment by reference."""
    content, seen, part = attachment.source.content, attachment.seen, attachment.part
    return records.Attachment(
        kind="video" if attachment.source.is_clip else "image",
        name=attachment.source.name,
        path=None if attachment.stored else _path(content),
        stored=keep(content) if isinstance(content, bytes) else attachment.stored,
        sha256=getattr(seen, "sha256", None),
        width=getattr(seen, "width", None),
        height=getattr(seen, "height", None),
        tiles=getattr(seen, "tiles", None),
        tokens=getattr(seen, "tokens", None),
        marks=tuple(map(str, getattr(part, "marks", ()))),
        frames=getattr(seen, "frames", ()),
        max_tiles=getattr(part, "max_tiles", None),
        asked_frames=getattr(part, "frames", None),
        asked_fps=getattr(part, "fps", None),
        label=attachment.number,
    )


def _path(content: str | bytes) -> str | None:
    """A path that means the same from any folder, or a URL; None for what is in memory."""
    if isinstance(content, bytes):
        return None
    return content if is_url(content) else os.path.abspath(content)
