"""The chat on a terminal: a line is read, answered or obeyed, and the next one is read."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from llavacli import completion
from llavacli.failures import failure
from llavacli.repl import commands, keys, streaming
from llavacli.repl.answering import Answering
from llavacli.repl.completer import Known, completer
from llavacli.repl.cooked import CookedPrompt
from llavacli.repl.history import history
from llavacli.repl.look import Look
from llavacli.repl.placing import attached
from llavacli.repl.prompt import EditedPrompt, Surroundings
from llavacli.repl.screen import TerminalScreen
from llavacli.repl.slash import Leave, Next, Typed
from llavacli.repl.status import Status, status_line
from llavacli.repl.terminal import quiet_keys
from llavacli.signals import Stopper
from llavacli.streams import Notes, Output, OutputError

if TYPE_CHECKING:
    from llavacli.repl.conversation import Conversation


class Prompt(Protocol):
    """Where lines come from."""

    typed: bool  # whether anything was, before Ctrl-C came

    def read(self, default: str = "") -> str:
        """A line. Raises KeyboardInterrupt for Ctrl-C on an empty one, EOFError for Ctrl-D, Interrupted."""


def run(
    conversation: Conversation, sources: Sequence[str], *, look: Look, output: Output, notes: Notes, stopper: Stopper
) -> int:
    """Load the model, show `sources` to it, and talk until the user leaves; the exit code.

    What keeps the chat from beginning is raised: a model that cannot be loaded, a source that cannot be read.
    """
    screen = TerminalScreen(look, output, notes, lambda: conversation.session.engine)
    with quiet_keys(stopper, by_line=look.by_line, before_stop=screen.clear_indicator):
        conversation.load()
        screen.greet(conversation.info)
        screen.recall(conversation.turns)
        for source in sources:
            screen.note(conversation.attach(source).described)
        chat = Chat(conversation, screen, stopper)
        with stopper.interruptible(chat.note_signal):
            chat.begin()
            return chat.talk(_prompt(chat, conversation, screen, look, stopper))


class Chat:
    """Lines come in, and each is answered or obeyed. What goes wrong with one is said, and the next one is read."""

    def __init__(self, conversation: Conversation, screen: TerminalScreen, stopper: Stopper) -> None:
        self._conversation = conversation
        self._screen = screen
        self._stopper = stopper
        self._typed: Typed | None = None  # what the next line begins with, and which command it is for
        self._words = ""  # what was last to be sent
        self._pressed = False  # Ctrl-C, while nothing was under way

    def note_signal(self) -> None:
        """Take a signal that comes between a line and the next: Ctrl-C counts at the prompt, all else ends the chat."""
        if self._stopper.signum == signal.SIGINT:
            self._stopper.signum = None
            self._pressed = True

    def was_pressed(self) -> bool:
        """Whether Ctrl-C came between a line and the next; it counts once."""
        pressed, self._pressed = self._pressed, False
        return pressed

    def begin(self) -> None:
        """Answer what was asked on the command line."""
        if self._conversation.generation.prompt is not None:
            self._take(self._conversation.generation.prompt, command=False)
        self._answer_waiting()

    def talk(self, prompt: Prompt) -> int:
        """Read lines until the user leaves; the exit code."""
        warned = False  # that the next Ctrl-C leaves
        while True:
            try:
                line = prompt.read(self._typed.text if self._typed else "")
            except EOFError:
                return 0
            except KeyboardInterrupt:
                if warned and not prompt.typed:
                    return 128 + signal.SIGINT
                warned, self._typed = True, None
                self._screen.note("Ctrl-C again leaves, as Ctrl-D does")
                continue
            warned = False
            if not line.strip():
                self._typed = None
            elif not self._take(line, command=commands.is_command(line)):
                return 0
            self._answer_waiting()

    def _take(self, line: str, *, command: bool) -> bool:
        """Answer or obey a line; False when it asks to leave. A line that was not sent is there again to be changed."""
        typed, self._typed, self._words = self._typed, None, ""
        try:
            with self._stopper.interruptible(_give_up):
                following = self._following(line, typed, command=command)
                if isinstance(following, Answering):
                    streaming.show(following, self._screen, self._stopper)
                elif isinstance(following, Typed):
                    self._typed = following
            return not isinstance(following, Leave)
        except _GivenUp:
            self._stopper.check()
            self._screen.note("(interrupted)")
        except OutputError:
            raise
        except Exception as error:
            self._stopper.check()
            what = failure(error)
            self._screen.failed(what, error)
            if what.code == "too_long" and self._words:
                self._typed = Typed(commands.line_of(self._words), "")
                by_line = self._screen.look.by_line
                how = "an empty line sends them again" if by_line else "they are in the line again; Ctrl-C clears it"
                self._screen.note(f"the words were not sent: {how}")
        return True

    def _following(self, line: str, typed: Typed | None, *, command: bool) -> Next:
        """What a line leads to."""
        if typed is not None and typed.command:
            edited = commands.BY_NAME[typed.command.removeprefix("/")]
            try:
                return edited.run(self._conversation, [line], self._screen)
            except BaseException:
                self._typed = Typed(line, typed.command)
                raise
        if command:
            return commands.run(line, self._conversation, self._screen)
        try:
            words = attached(commands.words_in(line), self._conversation, self._screen.note, pasted=False)
        except BaseException:  # a path that leads nowhere, a URL that cannot be had, Ctrl-C while it is fetched
            self._typed = Typed(line, "")
            raise
        self._words = words
        return self._conversation.ask(words)

    def _answer_waiting(self) -> None:
        """A captioner's pictures are turns by themselves; one that fails is kept, and so are those after it."""
        while self._conversation.waits:
            waiting = len(self._conversation.pending)
            self._take("", command=False)
            if len(self._conversation.pending) == waiting:
                break

    def pasted(self, text: str) -> tuple[str, Sequence[keys.Telling]]:
        """What a paste puts into the line, a label for each picture, which is attached; and what to tell of it."""
        told: list[keys.Telling] = []
        try:
            text = attached(
                text, self._conversation, lambda line: told.append(partial(self._screen.note, line)), pasted=True
            )
        except Exception as error:
            told.append(partial(self._screen.failed, failure(error), error))
        return text, told


def _prompt(chat: Chat, conversation: Conversation, screen: TerminalScreen, look: Look, stopper: Stopper) -> Prompt:
    """What lines are typed at."""
    if look.by_line:
        return CookedPrompt(screen.output, stopper, chat.was_pressed)
    kept, problem = history(kept=look.history)
    if problem is not None:
        screen.note(f"the history is not kept: {problem}")
    around = Surroundings(
        history=kept,
        completer=completer(_known(conversation)),
        status=lambda width: status_line(_status(conversation), width),
        pasted=chat.pasted,
        colored=screen.output.colored,
    )
    return EditedPrompt(around, stopper, chat.was_pressed)


def _known(conversation: Conversation) -> Known:
    """What Tab completes from."""
    return Known(
        commands=commands.helps(),
        settings=lambda: dict(conversation.settings()),
        models=completion.model_names,
        attachments=lambda: {each.number: each.source.name for each in conversation.attachments},
    )


def _status(conversation: Conversation) -> Status:
    """What the status line tells."""
    done = next((turn.done for turn in reversed(conversation.turns) if turn.done is not None), None)
    used = 0 if done is None else done.usage.prompt_tokens + done.usage.completion_tokens
    timed = done is not None and done.timing.decode > 0
    return Status(
        model=conversation.info.id,
        used=used,
        total=conversation.info.max_positions,
        speed=done.usage.completion_tokens / done.timing.decode * 1e3 if done is not None and timed else None,
        waiting=len(conversation.pending),
    )


class _GivenUp(BaseException):
    """Ctrl-C came while something was done that is no answer; `BaseException`, lest it be taken for an error."""


def _give_up() -> None:
    """End what is being done."""
    raise _GivenUp
