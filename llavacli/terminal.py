"""What the terminal's flags make of the streams, and a question that is asked there."""

from __future__ import annotations

import sys

from llavacli.failures import UsageError
from llavacli.options import TerminalOptions
from llavacli.render.text import escaped
from llavacli.streams import Notes, Output


def streams(terminal: TerminalOptions) -> tuple[Notes, Output]:
    """stderr and stdout as the flags have them."""
    return notes_of(terminal), Output(terminal.color)


def notes_of(terminal: TerminalOptions) -> Notes:
    """stderr alone."""
    return Notes(quiet=terminal.quiet, verbose=terminal.verbose, debug=terminal.debug, color=terminal.color)


def agreed(question: str, notes: Notes) -> bool:
    """Whether the user agrees; where there is nobody to ask, only --yes is agreement."""
    if not can_ask(notes):
        raise UsageError("there is no terminal to ask on", hint="add --yes to remove them all the same")
    assert sys.__stdin__ is not None
    notes.raw(f"llavacli: {escaped(question, lines=False)} [y/N] ")
    return sys.__stdin__.readline().strip().lower() in ("y", "yes")


def can_ask(notes: Notes) -> bool:
    """Whether somebody would read a question, and could answer."""
    return sys.__stdin__ is not None and sys.__stdin__.isatty() and notes.is_terminal
