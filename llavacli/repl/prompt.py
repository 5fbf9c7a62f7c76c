"""The line the user types, in a terminal that can move its cursor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from signal import SIGINT
from typing import TYPE_CHECKING, Any

from llavacli.repl import keys
from llavacli.repl.terminal import columns
from llavacli.signals import Interrupted, Stopper

if TYPE_CHECKING:
    from prompt_toolkit.buffer import Buffer
    from prompt_toolkit.completion import Completer
    from prompt_toolkit.history import History

SIGN = "> "
CONTINUATION = "  "
STYLE = {"bottom-toolbar": "noreverse fg:ansibrightblack", "sign": "bold fg:ansicyan"}


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the prompt asks of the conversation."""

    history: History
    completer: Completer
    status: Callable[[int], str]  # from the terminal's width
    pasted: keys.Pasted
    colored: bool


class EditedPrompt:
    """Reads lines with prompt-toolkit: editing, history, completion, and the status line while it waits."""

    def __init__(self, around: Surroundings, stopper: Stopper, pressed: Callable[[], bool]) -> None:
        """`pressed` tells, once, whether Ctrl-C came before the line."""
        from prompt_toolkit import PromptSession
        from prompt_toolkit.output import ColorDepth
        from prompt_toolkit.styles import Style

        self.typed = False  # whether anything was, of the last line
        self._stopper = stopper
        self._pressed = pressed
        self._session: PromptSession[str] = PromptSession(
            [("class:sign", SIGN)],
            multiline=True,  # our own Enter sends
            prompt_continuation=CONTINUATION,
            history=around.history,
            completer=around.completer,
            complete_while_typing=False,
            enable_open_in_editor=True,
            enable_suspend=True,
            tempfile_suffix=".md",
            reserve_space_for_menu=4,
            key_bindings=keys.bindings(around.pasted),
            bottom_toolbar=lambda: [("", around.status(columns()))],
            style=Style.from_dict(STYLE),
            color_depth=None if around.colored else ColorDepth.DEPTH_1_BIT,
        )
        self._session.default_buffer.on_text_changed += self._note_typing

    def read(self, default: str = "") -> str:
        """What was typed. Raises KeyboardInterrupt (Ctrl-C on an empty line), EOFError, Interrupted (a signal)."""
        self.typed = False
        try:
            with self._stopper.interruptible(self._end):
                return self._session.prompt(default=default, pre_run=self._heed)
        finally:
            self._stopper.check()  # the terminal may have hung up, which also ends its input

    def _note_typing(self, _buffer: Buffer) -> None:
        """Remember that a key was not Ctrl-C."""
        self.typed = True

    def _heed(self) -> None:
        """Give up the line for a signal that came just before it."""
        if self._pressed():
            self._leave(KeyboardInterrupt)
        elif self._stopper.signum is not None:
            self._end()

    def _end(self) -> None:
        """Give up the line, from a signal's handler."""
        self._leave(KeyboardInterrupt if self._stopper.signum == SIGINT else Interrupted)

    def _leave(self, why: type[BaseException]) -> None:
        """End the prompt as soon as it runs."""
        app = self._session.app
        if app.loop is not None:
            app.loop.call_soon_threadsafe(_exit, app, why)


def _exit(app: Any, why: type[BaseException]) -> None:
    """Leave the prompt, unless it was just left."""
    if app.is_running and not app.is_done:
        app.exit(exception=why())
