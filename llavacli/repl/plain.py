"""The conversation without a terminal: a user's turn per line of stdin, an answer per turn on stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from llavacli import stdin
from llavacli.failures import BAD_MODEL, Failure, UsageError, failure, overall
from llavacli.render.statistics import statistics
from llavacli.render.text import escaped
from llavacli.repl import commands
from llavacli.repl.answering import Answering
from llavacli.repl.placing import attached
from llavacli.repl.slash import Leave, Next, Typed
from llavacli.repl.turns import Attachment, Notice
from llavacli.signals import Stopper
from llavacli.streams import Notes, OutputError

if TYPE_CHECKING:
    import llavacli_core as core
    from llavacli.render.turns import TurnView
    from llavacli.repl.conversation import Conversation

HEAD = 32  # bytes that tell a picture from a question
LINE_LIMIT = 2**25  # bytes: far beyond any context, and no danger to the memory


class PlainScreen:
    """Commands speak on stderr: stdout is for answers."""

    keys: Sequence[tuple[str, str]] = ()

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self.note, self.warn = notes.note, notes.warning

    def say(self, text: str) -> None:
        """Show what a command was asked for, whatever --quiet says."""
        self._notes.raw(escaped(text) + "\n")

    def show(self, attachment: Attachment, *, as_seen: bool) -> None:
        """Refuse."""
        raise UsageError("there is no terminal to draw on", hint="/show is for a chat on a terminal")

    def copy(self, text: str) -> None:
        """Refuse."""
        raise UsageError("there is no terminal whose clipboard it could be", hint="/export md FILE writes it down")


class PlainLoop:
    """Goes through the lines of a stream. A turn that fails is told, and the next one is taken."""

    def __init__(self, conversation: Conversation, view: TurnView, notes: Notes, stopper: Stopper) -> None:
        self._conversation = conversation
        self._view = view
        self._notes = notes
        self._stopper = stopper
        self._screen = PlainScreen(notes)
        self._failures: list[Failure] = []
        self._asked = 0
        self._has_no_model = False

    def run(self) -> int:
        """Answer what was asked on the command line, then what stdin brings; the exit code."""
        first = self._conversation.generation.prompt
        if first is not None:
            self._take(first, command=False)
        self._answer_waiting()
        if sys.__stdin__ is not None and not self._is_hopeless():
            for data in self._lines():
                if not self._line(data) or self._is_hopeless():
                    break
        return overall(self._failures, self._asked)

    def _lines(self) -> Iterator[bytes]:
        """What stdin brings. Where it cannot be read, as nohup leaves it, there must be a question already."""
        import llavacli_core as core

        try:
            reader = stdin.reader()
            head = reader.peek()[:HEAD]
            if core.begins_as_picture(head) and (b"\0" in head or not head[:1].isascii()):
                raise core.errors.UnreadableInput(
                    "stdin is a picture, and questions are expected there",
                    hint="name the picture's file, or ask once: llavacli describe -",
                )
            yield from lines_of(reader.readline)
        except OSError as error:
            if not self._asked:
                raise core.errors.UnreadableInput(
                    f"stdin cannot be read ({error.strerror})", hint="pipe questions into it, or ask one with --prompt"
                ) from error

    def _line(self, data: bytes) -> bool:
        """Do what a line asks for; False when it asks to leave."""
        self._stopper.check()
        import llavacli_core as core

        try:
            text = text_of(data)
        except core.errors.InputError as error:
            self._asked += 1
            self._failed(data[:1000].decode("utf-8", "replace"), error)
            return True
        more = not text.strip() or self._take(text, command=commands.is_command(text))
        self._answer_waiting()
        return more

    def _take(self, text: str, *, command: bool) -> bool:
        """Obey a command or answer words; False when it asks to leave."""
        self._asked += not command
        try:
            following = self._obeyed(text) if command else self._asked_of(text)
            if isinstance(following, Answering):
                self._asked += command
                command = False
                self._answer(following)
        except OutputError:
            raise
        except Exception as error:
            self._asked += command
            self._failed(text, error, is_turn=not command)
            return True
        return not isinstance(following, Leave)

    def _asked_of(self, text: str) -> Answering:
        """The answer to words; what they name is attached."""
        words = attached(commands.words_in(text), self._conversation, self._screen.note, pasted=False)
        return self._conversation.ask(words)

    def _obeyed(self, text: str) -> Next:
        """What a command leads to."""
        following = commands.run(text, self._conversation, self._screen)
        if isinstance(following, Typed):
            raise UsageError(f"{following.command} needs the words", hint=f"{following.command} TEXT")
        return following

    def _answer(self, answering: Answering) -> None:
        """Show an answer; a signal ends it at its next token, and then the run."""
        import llavacli_core as core

        self._conversation.load()  # a signal during this should not wait for an answer
        with closing(answering), self._stopper.answering(answering.stop):
            for event in answering:
                if isinstance(event, Notice):
                    self._notes.warning(event.text)
                elif isinstance(event, core.Done):
                    self._view.done(event)
                    self._told(event)
                else:
                    self._view.piece(event.text)
        self._stopper.check()

    def _answer_waiting(self) -> None:
        """A captioner's pictures are turns by themselves."""
        while self._conversation.waits:
            self._take("", command=False)

    def _failed(self, text: str, error: Exception, *, is_turn: bool = True) -> None:
        """Tell what went wrong. A turn's attachments go with it, lest they spoil the next one as well."""
        what = failure(error)
        self._notes.error(what, error)
        self._failures.append(what)
        self._has_no_model = is_turn and what.exit_code == BAD_MODEL
        if is_turn:
            pending, alone = self._conversation.pending, self._conversation.loaded and self._conversation.captions
            attachments, self._conversation.pending = (pending[:1], pending[1:]) if alone else (pending, [])
            self._view.failed(text, attachments, what)

    def _is_hopeless(self) -> bool:
        """Whether no line can be answered: there is no model. One that /model did not find leaves the old one."""
        return self._has_no_model and self._conversation.loaded is None

    def _told(self, done: core.Done) -> None:
        """What there is to say of an answer, on stderr."""
        for warning in done.warnings:
            self._notes.warning(warning)
        self._notes.statistics(statistics(done))


def lines_of(readline: Callable[[int], bytes]) -> Iterator[bytes]:
    """The lines, without their ends; of one that is longer than the limit, a byte more than that."""
    while line := readline(LINE_LIMIT + 1):
        yield line.removesuffix(b"\n").removesuffix(b"\r")
        while len(line) > LINE_LIMIT and not line.endswith(b"\n"):
            line = readline(LINE_LIMIT + 1)  # what is left of it


def text_of(data: bytes) -> str:
    """A line's text. Raises InputError."""
    import llavacli_core as core

    if len(data) > LINE_LIMIT:
        raise core.errors.InputTooLarge(f"a line of more than {LINE_LIMIT} bytes", hint="a turn is one line")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        what = f"a line is not valid UTF-8, at its byte {error.start + 1}"
        raise core.errors.UnreadableInput(what, hint="convert it, with iconv for example") from None
