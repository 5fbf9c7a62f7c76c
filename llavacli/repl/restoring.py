"""A conversation that was kept, made again: its turns, and what has become of its pictures since."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from llavacli.loading import DEMO
from llavacli.options import GenerationOptions, ModelOptions
from llavacli.repl.opening import part_of
from llavacli.repl.placeholders import numbers_in, parts_of
from llavacli.repl.recording import changed_settings
from llavacli.repl.turns import Attachment, Turn
from llavacli.request import question_of
from llavacli.sessions import records
from llavacli.sources import Source, is_url, unreadable

if TYPE_CHECKING:
    from llavacli.repl.turns import Seen


@dataclass(kw_only=True)
class Restored:
    """The turns, and what there is to say of them."""

    turns: list[Turn] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def restored(conversation: records.Conversation, generation: GenerationOptions) -> Restored:
    """The turns of a conversation. A picture that is gone leaves its turn's words; one that has changed is shown."""
    made = Restored()
    numbers = conversation.numbers()
    for row in conversation.turns:
        if row.role == "assistant" and made.turns:
            _answer(made.turns[-1], row)
        elif row.role == "user":
            while made.turns and made.turns[-1].answer is None:
                made.turns.pop()  # a turn that another one followed before it was answered
            attachments = tuple(_attachment(each, next(numbers), made.notices) for each in row.attachments)
            made.turns.append(_turn(row, attachments, replace(generation, system=conversation.header.system)))
    if made.turns and made.turns[-1].answer is None:
        made.notices.append("the last turn has no answer yet; /retry answers it")
    return made


def resumed_model(model: ModelOptions, header: records.Header) -> ModelOptions:
    """The model that is asked for now; else the one that answered then."""
    if model.model is not None or header.model == DEMO:
        return model
    revision, template = model.revision or header.revision, model.template or header.template
    return replace(model, model=header.model, revision=revision, template=template)


def resumed_settings(generation: GenerationOptions, header: records.Header) -> GenerationOptions:
    """The settings that are given now; for the others, those that held then, if they still may."""
    given = changed_settings(generation)
    known = {name: value for name, value in header.settings.items() if hasattr(generation, name) and name not in given}
    system = header.system if generation.system is None else generation.system
    try:
        settings = replace(generation, **_known(known), system=system)
        question_of(settings, ())
    except Exception:  # from a file that another hand has written
        return replace(generation, system=system)
    return settings


def _known(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings alone: what is asked is no part of them."""
    return {name: value for name, value in settings.items() if name not in ("prompt", "system")}


def _turn(row: records.Turn, attachments: tuple[Attachment, ...], generation: GenerationOptions) -> Turn:
    """What the user said."""
    shown = {each.number: each.part for each in attachments if not each.missing}
    known = set(numbers_in(row.text)) <= shown.keys()  # else it names what is gone, or what another chat had
    return Turn(
        text=row.text,
        attachments=attachments,
        parts=tuple(parts_of(row.text, shown) if known else (*shown.values(), *([row.text] if row.text else ()))),
        question=question_of(replace(generation, prompt=row.text or None), ()),
        created=row.created,
    )


def _answer(turn: Turn, row: records.Turn) -> None:
    """What was answered."""
    import llavacli_core as core

    turn.answer, turn.kept = core.Message("assistant", row.text), row
    reason = row.finish_reason
    turn.finish_reason = reason if reason in ("length", "interrupted") else "stop"  # type: ignore[assignment]


def _attachment(row: records.Attachment, number: int, notices: list[str]) -> Attachment:
    """A picture or clip that was kept, looked up where it was."""
    import llavacli_core as core

    options = GenerationOptions(max_tiles=row.max_tiles, frames=row.asked_frames, fps=row.asked_fps)
    path = row.source or ""
    source = Source(row.name, path, is_clip=row.kind == "video")
    marks = () if source.is_clip else tuple(map(core.Mark.parse, row.marks))
    attachment = Attachment(
        number=number,
        source=source,
        part=part_of(source, options, marks),
        seen=_seen(row),
        missing=unreadable(source) is not None,
        stored=row.stored,
    )
    if attachment.missing:
        notices.append(f"{attachment.label} {row.name} is no longer there: the conversation goes on without it")
    elif row.sha256 is not None and not is_url(path) and _sha256(path) != row.sha256:
        notices.append(f"{attachment.label} {row.name} has changed since: the model sees it as it is now")
        return replace(attachment, seen=None)
    return attachment


def _seen(row: records.Attachment) -> Seen | None:
    """How it entered the prompt, as far as it was written down."""
    import llavacli_core as core

    if row.sha256 is None or row.width is None or row.height is None:
        return None
    known = {"source": row.name, "sha256": row.sha256, "width": row.width, "height": row.height}
    if row.kind == "video":
        return core.SeenVideo(**known, frames=row.frames, tokens=row.tokens or 0)  # type: ignore[arg-type]
    return core.SeenImage(**known, tiles=row.tiles or 1, tokens=row.tokens or 0, marks=row.marks)  # type: ignore[arg-type]


def _sha256(path: str) -> str | None:
    """The hash of a file's content; None if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
