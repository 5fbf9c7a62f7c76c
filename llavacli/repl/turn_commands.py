"""Commands about turns: ask again, take back, change, go on, begin anew; and the last answer to the clipboard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llavacli.failures import UsageError
from llavacli.repl.placing import attached
from llavacli.repl.slash import Command, Next, Screen, Typed, number_in

if TYPE_CHECKING:
    from llavacli.repl.conversation import Conversation


def _retry(conversation: Conversation, _: Sequence[str], __: Screen) -> Next:
    return conversation.retry()


def _undo(conversation: Conversation, arguments: Sequence[str], screen: Screen) -> Next:
    count = number_in(arguments[0], "/undo [N]") if arguments else 1
    waiting = conversation.undo(count)
    turns = "1 turn" if count == 1 else f"{count} turns"
    verb = "waits" if len(waiting) == 1 else "wait"
    labels = ", ".join(each.label for each in waiting)
    screen.note(f"took back {turns}" + (f"; {labels} {verb} for the next (/drop takes it out)" if waiting else ""))
    return None


def _edit(conversation: Conversation, arguments: Sequence[str], screen: Screen) -> Next:
    if arguments:
        return conversation.edit(attached(arguments[0], conversation, screen.note, pasted=False))
    if not conversation.turns:
        raise UsageError("there is no turn to edit", hint="ask something first")
    return Typed(conversation.turns[-1].text, "/edit")


def _continue(conversation: Conversation, _: Sequence[str], __: Screen) -> Next:
    return conversation.go_on()


def _clear(conversation: Conversation, _: Sequence[str], screen: Screen) -> Next:
    kept = conversation.keeper.id
    conversation.clear()
    screen.note("a new conversation" + (f"; /load {kept} brings the last one back" if kept else ""))
    return None


def _copy(conversation: Conversation, _: Sequence[str], screen: Screen) -> Next:
    answer = next((turn.answer for turn in reversed(conversation.turns) if turn.answer is not None), None)
    if answer is None:
        raise UsageError("there is no answer to copy", hint="ask something first")
    screen.copy(answer.text)
    screen.note("copied the last answer")
    return None


TABLE = (
    Command(name="retry", help="Answer the last turn anew.", run=_retry),
    Command(name="undo", form="[N]", most=1, help="Take back the last turn, or the last N.", run=_undo),
    Command(name="edit", form="[TEXT]", most=1, reads="text", help="Change the last turn and answer it.", run=_edit),
    Command(name="continue", help="Go on with an answer that was cut short.", run=_continue),
    Command(name="clear", help="Begin a new conversation; model and settings stay.", run=_clear),
    Command(name="copy", help="Copy the last answer to the clipboard.", run=_copy),
)
