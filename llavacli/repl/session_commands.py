"""Commands about whole conversations: save, load, export."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from llavacli.failures import UsageError
from llavacli.repl.recording import document_of
from llavacli.repl.slash import Command, Next, Screen
from llavacli.streams import OutputError
from llavacli.writing import write_file

if TYPE_CHECKING:
    from llavacli.repl.conversation import Conversation
    from llavacli.sessions import records


def _save(conversation: Conversation, arguments: Sequence[str], screen: Screen) -> Next:
    if arguments:
        _written(conversation, "json", arguments[0], screen)
        return None
    if conversation.keeper.id is None:
        raise UsageError("nothing of this conversation is kept yet", hint="/save FILE writes it to a file")
    screen.note(f"kept as {conversation.keeper.id}, and every turn is; chat --session {conversation.keeper.id} goes on")
    return None


def _load(conversation: Conversation, arguments: Sequence[str], screen: Screen) -> Next:
    found = _found(conversation, arguments[0])
    unsent = ", ".join(each.label for each in conversation.pending)
    for notice in conversation.resume(found):
        screen.warn(notice)
    if unsent:
        screen.warn(f"never sent, and no longer attached: {unsent}")
    turns = len(conversation.turns)
    screen.note(f"went back to {found.title!r}: {turns} {'turn' if turns == 1 else 'turns'}")
    return None


def _export(conversation: Conversation, arguments: Sequence[str], screen: Screen) -> Next:
    form = arguments[0].lower()
    if form not in ("md", "json"):
        raise UsageError(f"{arguments[0]!r} is no form to export to", hint="/export md|json [FILE]")
    if len(arguments) > 1:
        _written(conversation, form, arguments[1], screen)
    else:
        screen.say(_exported(conversation, form).rstrip("\n"))
    return None


def _found(conversation: Conversation, name: str) -> records.Conversation:
    """The conversation of an id, or of a file; a file's is a copy, kept under an id of its own."""
    path = os.path.expanduser(name)
    if not os.path.isfile(path):
        return conversation.keeper.store.load(name)
    from llavacli.sessions.document import conversation_in
    from llavacli.sessions.errors import DocumentError

    try:
        with open(path, "rb") as file:
            return replace(conversation_in(file.read()), id=None)
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}", hint="/load ID|FILE") from error
    except DocumentError as error:
        raise UsageError(f"{name}: is no conversation ({error})", hint=error.hint) from error


def _written(conversation: Conversation, form: str, name: str, screen: Screen) -> None:
    """Write the conversation to a file, which is overwritten only if this conversation wrote it."""
    path = os.path.abspath(os.path.expanduser(name))
    if os.path.lexists(path) and path not in conversation.written:
        raise UsageError(f"{name}: exists already", hint="choose another name")
    try:
        write_file(path, _exported(conversation, form).encode("utf-8", "backslashreplace"))
    except OutputError as error:
        raise UsageError(str(error), hint="choose another name") from error
    conversation.written.add(path)
    screen.note(f"wrote {name}")


def _exported(conversation: Conversation, form: str) -> str:
    """The conversation as Markdown or JSON."""
    from llavacli.render.record import line
    from llavacli.sessions.document import document
    from llavacli.sessions.export import markdown

    if not conversation.turns:
        raise UsageError("there is nothing to write yet", hint="ask something first")
    made = document_of(conversation.keeper.id, conversation.header, conversation.turns)
    return line(document(made), indent=2) if form == "json" else markdown(made)


TABLE = (
    Command(
        name="save",
        form="[FILE]",
        most=1,
        help="Write the conversation to a file for /load, or tell its id.",
        run=_save,
    ),
    Command(name="load", form="ID|FILE", least=1, most=1, help="Go on with another conversation.", run=_load),
    Command(name="export", form="md|json [FILE]", least=1, most=2, help="Show or write the conversation.", run=_export),
)
