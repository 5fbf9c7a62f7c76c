"""One answer on the terminal, word by word, and what is said about it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Protocol

from llavacli.render.statistics import statistics
from llavacli.render.text import LastNewlines, escaped
from llavacli.repl.indicator import Indicator, indicated
from llavacli.repl.turns import Notice
from llavacli.signals import Stopper
from llavacli.streams import Output

if TYPE_CHECKING:
    import llavacli_core as core
    from llavacli.repl.answering import Answering

THINKING = "thinking"
STOPPING = "stopping as soon as the prompt is read (Ctrl-C again leaves)"


class Writing(Protocol):
    """From an answer's pieces to what is written: Markdown rendered, as they are, or sentence by sentence."""

    def push(self, text: str) -> str:
        """What may be written now that a piece has come."""

    def finish(self) -> str:
        """The answer is over: what was held back, and the end of the line."""


class View(Protocol):
    """Where an answer is shown."""

    output: Output
    spins: bool  # whether a word tells that it takes time, and goes again
    verbose: bool  # whether tokens and times are told
    announces: bool  # whether a line tells so, and stays

    def begin_answer(self) -> Writing:
        """The first piece has come."""

    def note(self, text: str) -> None:
        """Tell something in a line of its own, which stands back from the answers."""

    def warn(self, text: str) -> None:
        """Tell what may spoil the result."""

    def watch(self, indicator: Indicator | None) -> None:
        """Know the word that must go before Ctrl-Z stops the process."""


def show(answering: Answering, view: View, stopper: Stopper) -> core.Done:
    """Show an answer as it comes; Ctrl-C ends it at its next token. What goes wrong is raised."""
    import llavacli_core as core

    writing: Writing | None = None
    done: core.Done | None = None
    with indicated(view.output, THINKING, wanted=view.spins) as indicator, closing(answering):

        def stop() -> None:
            indicator.say(STOPPING, every=0.2)
            answering.stop()

        view.watch(indicator)
        if view.announces:
            view.note("Answering.")
        try:
            with stopper.interruptible(stop):
                for event in answering:
                    indicator.hide()
                    if isinstance(event, Notice):
                        view.note(event.text)
                    elif isinstance(event, core.Done):
                        done = event
                    else:
                        indicator.erase()
                        writing = writing or view.begin_answer()
                        view.output.write(writing.push(event.text))
        finally:
            view.watch(None)
            indicator.erase()
            if writing is not None:
                view.output.write(writing.finish())
    assert done is not None  # else it had raised
    _say_how_it_ended(done, view, silent=writing is None)
    return done


def _say_how_it_ended(done: core.Done, view: View, *, silent: bool) -> None:
    """Mark an answer that is not whole, and say what may have spoilt it."""
    if done.finish_reason == "interrupted":
        view.note("(interrupted)")
    elif done.finish_reason == "length":
        view.note(f"(cut off at {done.max_tokens} tokens; /continue goes on)")
    elif silent:
        view.note("(the model answered with nothing)")
    for warning in done.warnings:
        view.warn(warning)
    if view.verbose:
        view.note(statistics(done))


class AsItIs:
    """Pieces as they come, but for what could steer the terminal, and for newlines at the end."""

    def __init__(self) -> None:
        self._newlines = LastNewlines()

    def push(self, text: str) -> str:
        """The piece; newlines wait until more follows."""
        return escaped(self._newlines.push(text))

    def finish(self) -> str:
        """The end of the line."""
        return "\n"
