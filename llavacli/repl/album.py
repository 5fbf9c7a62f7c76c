"""The attachments of a conversation by their numbers: found, taken out, marked, seen anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from llavacli.failures import UsageError
from llavacli.repl.opening import opened
from llavacli.repl.turns import Attachment, Turn

if TYPE_CHECKING:
    import llavacli_core as core
    from llavacli.repl.conversation import Conversation


def numbered(conversation: Conversation, number: int | None = None) -> Attachment:
    """The attachment of that number, by default the last."""
    attachments = conversation.attachments
    if number is None and attachments:
        return attachments[-1]
    found = next((each for each in attachments if each.number == number), None)
    if found is None:
        numbers = ", ".join(str(each.number) for each in attachments)
        hint = f"there are: {numbers}" if numbers else "/image PATH adds one"
        what = "there is no picture and no clip" if number is None else f"no picture or clip has number {number}"
        raise UsageError(what, hint=hint)
    return found


def drop(conversation: Conversation, number: int) -> Attachment:
    """Take an attachment out of the conversation; what follows is asked as if it had never been there."""
    found = numbered(conversation, number)
    conversation.pending = [each for each in conversation.pending if each.number != number]
    for turn in [turn for turn in conversation.turns if _has(turn, number)]:
        changed = _without(turn, number)
        conversation.rewrite(turn, changed if changed.parts else None)
    return found


def mark(conversation: Conversation, attachment: Attachment, marks: Sequence[core.Mark]) -> Attachment:
    """Have these marks, and no others, on a picture, wherever in the conversation it is."""
    number, options = attachment.number, conversation.generation
    marked = opened(conversation.session, options, attachment.source, number, marks)
    conversation.pending = [marked if each.number == number else each for each in conversation.pending]
    for turn in [turn for turn in conversation.turns if _has(turn, number)]:
        conversation.rewrite(turn, _with(turn, marked))
    return marked


def shown_last(conversation: Conversation, turns: int) -> Sequence[Attachment]:
    """What only so many last turns show, each once. A captioner's pictures would be turns again at once: none."""
    if conversation.loaded is not None and conversation.captions:
        return []
    stay = [each for turn in conversation.turns[:-turns] for each in turn.attachments] + conversation.pending
    held = {each.number for each in stay}
    shown = {each.number: each for turn in conversation.turns[-turns:] for each in turn.shown}
    return [each for number, each in shown.items() if number not in held]


def see_anew(conversation: Conversation) -> None:
    """Have every attachment know how it enters this model's prompts: by no token, where it cannot be had by now."""
    import llavacli_core as core

    def seen(each: Attachment) -> Attachment:
        try:
            return each if each.missing else replace(each, seen=conversation.session.open(each.part).seen)
        except core.errors.CoreError:
            return each if each.seen is None else replace(each, seen=replace(each.seen, tokens=0))

    for turn in conversation.turns:
        turn.attachments = tuple(map(seen, turn.attachments))
    conversation.pending = [*map(seen, conversation.pending)]


def _has(turn: Turn, number: int) -> bool:
    """Whether a turn shows the attachment of that number."""
    return any(each.number == number for each in turn.attachments)


def _without(turn: Turn, number: int) -> Turn:
    """A turn that had never had the attachment."""
    gone = {id(each.part) for each in turn.attachments if each.number == number}
    return replace(
        turn,
        attachments=tuple(each for each in turn.attachments if each.number != number),
        parts=tuple(part for part in turn.parts if id(part) not in gone),
    )


def _with(turn: Turn, new: Attachment) -> Turn:
    """A turn that has another attachment in the place of the one of the same number."""
    old = {id(each.part) for each in turn.attachments if each.number == new.number}
    return replace(
        turn,
        attachments=tuple(new if each.number == new.number else each for each in turn.attachments),
        parts=tuple(new.part if id(part) in old else part for part in turn.parts),
    )
