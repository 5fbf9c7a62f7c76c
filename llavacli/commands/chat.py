"""`llavacli chat`: a conversation about pictures and clips, on a terminal or line by line."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from llavacli import loading
from llavacli.completion import session_ids
from llavacli.failures import UsageError
from llavacli.options import OUTPUT, GenerationOptions, MarkOptions, ModelOptions, RecordOptions, TerminalOptions, flag
from llavacli.request import question_of
from llavacli.signals import Stopper
from llavacli.sources import STDIN, Source, unreadable
from llavacli.streams import Notes, Output
from llavacli.terminal import streams

if TYPE_CHECKING:
    from llavacli.repl.conversation import Conversation
    from llavacli.sessions import records
    from llavacli.sessions.store import Store

SESSION = "Session"

Sources = Annotated[
    list[str] | None,
    typer.Argument(metavar="SOURCE", show_default=False, help="Pictures and clips to begin with: paths or URLs."),
]


@dataclass(frozen=True, kw_only=True)
class ChatOptions:
    """What this command alone can do."""

    continued: Annotated[
        bool, flag("--continue", "-c", panel=SESSION, settable=False, help="Go on with the last conversation.")
    ] = False
    session: Annotated[
        str | None,
        flag(
            "--session",
            panel=SESSION,
            settable=False,
            metavar="ID",
            help="Go on with this conversation.",
            autocompletion=session_ids,
        ),
    ] = None
    no_save: Annotated[bool, flag("--no-save", panel=SESSION, help="Keep nothing of this conversation.")] = False
    no_history: Annotated[bool, flag("--no-history", panel=SESSION, help="Do not remember what is typed.")] = False
    context: Annotated[
        Literal["error", "drop-oldest"],
        flag(
            "--context",
            panel=SESSION,
            metavar="WHAT",
            help="When a turn does not fit: error, or drop-oldest leaves out the oldest turns. [default: error]",
        ),
    ] = "error"
    no_markdown: Annotated[bool, flag("--no-markdown", panel=OUTPUT, help="Show answers as they are.")] = False
    accessible: Annotated[
        bool, flag("--accessible", panel=OUTPUT, help="Plain text, sentence by sentence; ACCESSIBLE=1 does the same.")
    ] = False


def chat(
    sources: Sources = None,
    *,
    model: ModelOptions,
    generation: GenerationOptions,
    marks: MarkOptions,
    chatting: ChatOptions,
    records: RecordOptions,
    terminal: TerminalOptions,
    stopper: Stopper,
) -> int:
    """Talk about pictures and clips. On a terminal, /help lists the commands; else each line of stdin is a turn.

    \b
    Examples:
      llavacli chat cat.jpg
      llavacli chat -m llava-hf/llava-v1.6-mistral-7b-hf -s "Be brief." cat.jpg dog.jpg
      llavacli chat -c
      printf 'What is this?\\nWhat colour is it?\\n' | llavacli chat --json cat.jpg
    """
    accessible = chatting.accessible or os.environ.get("ACCESSIBLE", "0") not in ("", "0")
    notes, output = streams(replace(terminal, color="never") if accessible else terminal)
    _check(sources or [], chatting, records)
    from llavacli.sessions.store import Store

    with closing(Store.open()) as store:
        conversation = _conversation(store, model, generation, chatting, notes)
        conversation.marks = question_of(generation, marks.mark or []).marks
        if records.json or not (output.is_terminal and sys.__stdin__ is not None and sys.__stdin__.isatty()):
            return _lines(conversation, sources or [], records, output, notes, stopper)
        from llavacli.repl import loop
        from llavacli.repl.look import Look

        look = Look(markdown=not chatting.no_markdown, accessible=accessible, history=not chatting.no_history)
        return loop.run(conversation, sources or [], look=look, output=output, notes=notes, stopper=stopper)


def _check(sources: Sequence[str], chatting: ChatOptions, records: RecordOptions) -> None:
    """Refuse what can be told to be wrong before anything is loaded."""
    if records.tokens and not records.json:
        raise UsageError("--tokens adds to records, and none were asked for", hint="add --json")
    if chatting.continued and chatting.session is not None:
        raise UsageError("--continue and --session exclude each other", hint="leave out --continue")
    if STDIN in sources:
        raise UsageError("stdin brings what is said, so - cannot be a picture", hint="name a file or a URL")
    for error in (unreadable(Source(name, name)) for name in sources):
        if error is not None:
            raise error


def _conversation(
    store: Store, model: ModelOptions, generation: GenerationOptions, chatting: ChatOptions, notes: Notes
) -> Conversation:
    """A new conversation, or one that is gone on with."""
    from llavacli.repl.conversation import Conversation
    from llavacli.repl.keeping import Keeper
    from llavacli.repl.recording import header_of
    from llavacli.repl.restoring import resumed_model

    kept = _kept(store, chatting)
    if kept is not None:
        model = resumed_model(model, kept.header)
    keeper = Keeper(store, header_of(model, generation), notes.loss, keeping=not chatting.no_save)
    made = Conversation(lambda options: loading.load_alone(options, notes), model, generation, keeper, chatting.context)
    if kept is not None:
        for notice in made.resume(kept):
            notes.loss(notice)
        if generation.system is not None:
            made.set_system(generation.system)
    return made


def _kept(store: Store, chatting: ChatOptions) -> records.Conversation | None:
    """The conversation that is to be gone on with."""
    if chatting.session is not None:
        return store.load(chatting.session)
    if not chatting.continued:
        return None
    latest = store.latest()
    if latest is None:
        raise UsageError("no conversation is kept yet", hint="leave out --continue")
    return latest


def _lines(
    conversation: Conversation,
    sources: Sequence[str],
    records: RecordOptions,
    output: Output,
    notes: Notes,
    stopper: Stopper,
) -> int:
    """Read turns from stdin."""
    from llavacli.render.turns import TurnRecords, TurnTexts
    from llavacli.repl.plain import PlainLoop

    for source in sources:
        conversation.attach(source)
    view: TurnRecords | TurnTexts = TurnTexts(output)
    if records.json:
        view = TurnRecords(conversation, output, tokens=records.tokens)
    return PlainLoop(conversation, view, notes, stopper).run()
