"""`llavacli sessions`: the conversations that chat has kept, listed, shown, searched, exported, removed."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from llavacli.command import subgroup
from llavacli.completion import session_ids
from llavacli.failures import UsageError
from llavacli.options import OUTPUT, TerminalOptions, flag
from llavacli.render.record import line
from llavacli.render.text import escaped
from llavacli.streams import Output
from llavacli.terminal import agreed, can_ask, streams
from llavacli.writing import write_file

if TYPE_CHECKING:
    from llavacli.sessions.records import Conversation, Summary
    from llavacli.sessions.store import Store

HELP = """List, show, search, export and remove the conversations that chat has kept.

\b
Examples:
  llavacli sessions ls
  llavacli sessions show 20261121-3f9a
  llavacli sessions search "red circle"
  llavacli sessions export 20261121-3f9a -o circles.md
  llavacli sessions rm --older-than 30d
"""
SHOWN = 20  # on a terminal, unless --limit says otherwise
SELECTION = "Selection"
AGE = re.compile(r"(\d{1,6})\s*([hdwy])")
HOURS = {"h": 1, "d": 24, "w": 24 * 7, "y": 24 * 365}

Id = Annotated[
    str | None,
    typer.Argument(
        metavar="ID",
        show_default=False,
        help="A conversation's id or the beginning of it. [default: the latest]",
        autocompletion=session_ids,
    ),
]
Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID", show_default=False, help="Which conversations.", autocompletion=session_ids),
]
Words = Annotated[list[str], typer.Argument(metavar="WORD", show_default=False, help="All of them must occur.")]
Json = Annotated[bool, flag("--json", panel=OUTPUT, help="One JSON record per line.")]
Limit = Annotated[
    int | None,
    flag("--limit", "-n", panel=OUTPUT, metavar="N", min=0, help="At most N; 0 is all. [default: 20, in a pipe 0]"),
]


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """Where an exported conversation goes, and in which form."""

    format: Annotated[
        Literal["md", "json"] | None,
        flag("--format", "-f", panel=OUTPUT, metavar="FORM", help="md or json. [default: by OUT's ending, else md]"),
    ] = None
    output: Annotated[
        str | None, flag("--output", "-o", panel=OUTPUT, metavar="OUT", help="A file. [default: -, stdout]")
    ] = None
    force: Annotated[bool, flag("--force", panel=OUTPUT, help="Overwrite a file that exists.")] = False


@dataclass(frozen=True, kw_only=True)
class RemovalOptions:
    """Which conversations are removed; heeded on the command line alone, since it cannot be undone."""

    all: Annotated[bool, flag("--all", panel=SELECTION, settable=False, help="Remove every conversation.")] = False
    older_than: Annotated[
        str | None,
        flag(
            "--older-than",
            panel=SELECTION,
            settable=False,
            metavar="AGE",
            help="Remove those not gone on with for this long: 12h, 30d, 8w, 1y.",
        ),
    ] = None
    yes: Annotated[bool, flag("--yes", "-y", panel=SELECTION, settable=False, help="Do not ask.")] = False


def ls(*, limit: Limit = None, json: Json = False, terminal: TerminalOptions) -> int:
    """List the conversations, the last gone on with first.

    \b
    Examples:
      llavacli sessions ls
      llavacli sessions ls -n 5
      llavacli sessions ls --json | jq -r .title
      llavacli sessions ls | cut -f 1
    """
    from llavacli.render.listing import list_summaries
    from llavacli.sessions.store import Store

    notes, output = streams(terminal)
    listed = Store.open().list()
    if not listed:
        notes.note("no conversations are kept yet")
    shown = listed[: _most(limit, output, json=json)]
    list_summaries(shown, output, json=json)
    if limit is None and len(shown) < len(listed):
        notes.note(f"and {len(listed) - len(shown)} more: --limit 0 lists all")
    return 0


def show(id_: Id = None, *, json: Json = False, terminal: TerminalOptions) -> int:
    """Show a conversation. On a terminal control characters are escaped; a pipe gets the text as it is.

    \b
    Examples:
      llavacli sessions show
      llavacli sessions show 20261121-3f9a
      llavacli sessions show 3f9a --json
    """
    from llavacli.render.transcript import write_transcript
    from llavacli.sessions.document import document

    _, output = streams(terminal)
    conversation = _chosen(id_)
    if json:
        output.write(line(document(conversation)))
    else:
        write_transcript(conversation, output)
    return 0


def search(words: Words, *, limit: Limit = None, json: Json = False, terminal: TerminalOptions) -> int:
    """Find turns by their words and by the names of their pictures, whatever the case, the latest first.

    \b
    Examples:
      llavacli sessions search circle
      llavacli sessions search red circle --json
      llavacli sessions search cat.jpg | cut -f 1 | sort -u
    """
    from llavacli.render.listing import list_hits
    from llavacli.sessions.store import Store

    if not "".join(words).strip():
        raise UsageError("there is nothing to search for", hint="name some words of a turn, or of a picture's name")
    notes, output = streams(terminal)
    most = _most(limit, output, json=json)
    hits = Store.open().search(" ".join(words), limit=None if most is None else most + 1)
    if not hits:
        notes.note("nothing found")
    list_hits(hits[:most], output, json=json)
    if limit is None and most is not None and len(hits) > most:
        notes.note("and more: --limit 0 lists all")
    return 0


def export(id_: Id = None, *, exporting: ExportOptions, terminal: TerminalOptions) -> int:
    """Write a conversation as Markdown or, to be loaded again, as JSON.

    \b
    Examples:
      llavacli sessions export > conversation.md
      llavacli sessions export 20261121-3f9a -o circles.md
      llavacli sessions export 20261121-3f9a -o circles.json
    """
    from llavacli.sessions.document import document
    from llavacli.sessions.export import markdown

    _, stdout = streams(terminal)
    path = None if exporting.output in (None, "-") else exporting.output
    if path is not None:
        _refuse(path, force=exporting.force)
    conversation = _chosen(id_)
    form = exporting.format or ("json" if path is not None and path.lower().endswith(".json") else "md")
    text = line(document(conversation), indent=2) if form == "json" else markdown(conversation)
    if path is not None:
        write_file(path, text.encode("utf-8", "backslashreplace"))
    else:
        stdout.write(escaped(text) if stdout.is_terminal else text)
    return 0


def rm(ids: Ids = None, *, removal: RemovalOptions, terminal: TerminalOptions) -> int:
    """Remove conversations, and the copies of pictures that only they show. On a terminal it asks first.

    \b
    Examples:
      llavacli sessions rm 20261121-3f9a
      llavacli sessions rm --older-than 30d
      llavacli sessions rm --all --yes
    """
    from llavacli.sessions.store import Store

    notes, _ = streams(terminal)
    if sum((bool(ids), removal.all, removal.older_than is not None)) != 1:
        raise UsageError("nothing says which to remove, or too much", hint="give ids, or --older-than 30d, or --all")
    store = Store.open()
    chosen = _removed(store, ids or [], removal)
    if not chosen:
        notes.note("nothing to remove")
        return 0
    what = f"{len(chosen)} conversations" if len(chosen) > 1 else f"conversation {chosen[0].id} ({chosen[0].title})"
    named = bool(ids) and not can_ask(notes)  # one by one, which is agreement enough where there is nobody to ask
    if not (removal.yes or named or agreed(f"remove {what}?", notes)):
        notes.note("nothing removed")
        return 0
    store.remove([each.id for each in chosen])
    notes.note(f"removed {what}")
    return 0


def _most(limit: int | None, output: Output, *, json: bool) -> int | None:
    """How many to list; None for all."""
    if limit is None:
        return SHOWN if output.is_terminal and not json else None
    return limit if limit > 0 else None


def _chosen(id_: str | None) -> Conversation:
    """The conversation that was asked for, or the latest."""
    from llavacli.sessions.store import Store

    store = Store.open()
    conversation = store.latest() if id_ is None else store.load(id_)
    if conversation is None:
        raise UsageError("no conversations are kept yet", hint="llavacli sessions --help says more")
    return conversation


def _refuse(path: str, *, force: bool) -> None:
    """Refuse a file that must not be written."""
    if os.path.isdir(path):
        raise UsageError(f"{path}: is a folder", hint="name a file in it")
    if os.path.isfile(path) and not force:
        raise UsageError(f"{path}: exists already", hint="choose another name, or add --force to overwrite it")


def _removed(store: Store, ids: Sequence[str], removal: RemovalOptions) -> list[Summary]:
    """The conversations that are to go; every id is looked up before any is removed."""
    before = None if removal.older_than is None else _ago(removal.older_than)
    wanted = {store.find(each) for each in ids}
    return [each for each in store.list(before=before) if not ids or each.id in wanted]


def _ago(age: str) -> datetime:
    """The moment that long ago."""
    from llavacli.sessions.records import now

    match = AGE.fullmatch(age.strip().lower())
    if match is None:
        raise UsageError(f"--older-than {age}: not an age", hint="write it as 12h, 30d, 8w or 1y")
    try:
        return now() - timedelta(hours=int(match[1]) * HOURS[match[2]])
    except OverflowError:
        raise UsageError(f"--older-than {age}: before the calendar begins", hint="write it as 30d") from None


SESSIONS = subgroup("sessions", HELP, (ls, show, search, export, rm))
