"""What keys do at the prompt, beyond those of every readline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prompt_toolkit.buffer import Buffer
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

Telling = Callable[[], None]  # writes a line above the prompt
Pasted = Callable[[str], tuple[str, Sequence[Telling]]]  # from what was pasted to what is inserted, and told of it

EDITED = (
    ("Enter", "send"),
    ("Alt-Enter, Ctrl-J", "a new line"),
    ("Ctrl-X Ctrl-E", "edit the line in the editor ($VISUAL, $EDITOR)"),
    ("Ctrl-R", "search what was typed before"),
    ("Tab", "complete commands, settings, models and paths"),
    ("Ctrl-C", "stop the answer; clear the line; twice on an empty line: leave"),
    ("Ctrl-D", "leave"),
    ("Ctrl-Z", "suspend; fg comes back"),
)
BY_LINE = (  # where the terminal itself edits the line
    ("Enter", "send; after a backslash: a new line"),
    ("Ctrl-C", "stop the answer; clear the line; twice: leave"),
    ("Ctrl-D", "leave"),
    ("Ctrl-Z", "suspend; fg comes back"),
)


def bindings(pasted: Pasted) -> KeyBindings:
    """The key bindings; `pasted` gives what is inserted for a bracketed paste."""
    from prompt_toolkit.application import run_in_terminal
    from prompt_toolkit.enums import DEFAULT_BUFFER
    from prompt_toolkit.filters import has_focus
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.keys import Keys

    keys = KeyBindings()
    typing = has_focus(DEFAULT_BUFFER)
    keys.add("enter", filter=typing)(_enter)
    keys.add("c-j", filter=typing)(_new_line)
    keys.add("escape", "enter", filter=typing)(_new_line)
    keys.add("c-x", "c-e", filter=typing)(_edit)
    keys.add("c-c", filter=typing)(_interrupt)
    keys.add("<sigint>")(_interrupt)

    @keys.add(Keys.BracketedPaste, filter=typing)
    def paste(event: KeyPressEvent) -> None:
        inserted, told = pasted(event.data.replace("\r\n", "\n").replace("\r", "\n"))
        event.current_buffer.insert_text(inserted)
        for telling in told:
            run_in_terminal(telling)

    return keys


def _enter(event: KeyPressEvent) -> None:
    """Take the completion that the menu points at, else send the line."""
    buffer: Buffer = event.current_buffer
    if buffer.complete_state is not None and buffer.complete_state.current_completion is not None:
        buffer.complete_state = None
    else:
        buffer.validate_and_handle()


def _new_line(event: KeyPressEvent) -> None:
    """Start a new line."""
    event.current_buffer.newline(copy_margin=False)


def _edit(event: KeyPressEvent) -> None:
    """Have the line edited elsewhere; it is not sent before Enter, lest an editor that is left in haste send it."""
    event.current_buffer.open_in_editor(validate_and_handle=False)


def _interrupt(event: KeyPressEvent) -> None:
    """Clear what was typed; on an empty line, say so to the loop."""
    if event.app.current_buffer.text:
        event.app.current_buffer.reset()
    else:
        event.app.exit(exception=KeyboardInterrupt())
