"""What a slash command is, what it may ask of the screen, and what it leaves to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from llavacli.failures import UsageError
from llavacli.repl.answering import Answering
from llavacli.repl.turns import Attachment

if TYPE_CHECKING:
    from llavacli.repl.conversation import Conversation


class Screen(Protocol):
    """Where commands speak. Texts are as they are, with control characters; the screen escapes them where it must."""

    keys: Sequence[tuple[str, str]]  # and what they do, where there are any

    def say(self, text: str) -> None:
        """Show what a command was asked for: one line or several."""

    def note(self, text: str) -> None:
        """Tell in one line what was done."""

    def warn(self, text: str) -> None:
        """Tell in one line what may spoil the result."""

    def show(self, attachment: Attachment, *, as_seen: bool) -> None:
        """Draw a picture, or its tiles as the model gets them. Raises UsageError where nothing can be drawn."""

    def copy(self, text: str) -> None:
        """Put text on the clipboard. Raises UsageError where there is none."""


@dataclass(frozen=True)
class Leave:
    """The conversation is over."""


@dataclass(frozen=True)
class Typed:
    """This text is to be in the prompt, for the user to change and send as `command`."""

    text: str
    command: str


Next = Answering | Leave | Typed | None  # an answer is the loop's to show
Run = Callable[["Conversation", Sequence[str], Screen], Next]


@dataclass(frozen=True, kw_only=True)
class Command:
    """A row of the table. `form` shows its arguments, of which it takes `least` to `most` (None: any number).

    It `reads` what follows as words by the shell's rules for quotes; as one text, which may be quoted as a whole; or as
    the rest of the line just as it is.
    """

    name: str
    help: str
    run: Run
    form: str = ""
    least: int = 0
    most: int | None = 0
    reads: Literal["words", "text", "line"] = "words"
    aliases: tuple[str, ...] = ()

    @property
    def usage(self) -> str:
        """How it is typed: `/drop N`."""
        return f"/{self.name} {self.form}".rstrip()

    def checked(self, arguments: Sequence[str]) -> Sequence[str]:
        """The arguments, if they are as many as it takes."""
        if len(arguments) < self.least:
            raise self.wrong("needs an argument" if self.least == 1 else "needs more arguments")
        if self.most is not None and len(arguments) > self.most:
            raise self.wrong("takes fewer arguments" if self.most else "takes no arguments")
        return arguments

    def wrong(self, what: str) -> UsageError:
        """What is wrong, in one line that shows the right form."""
        return UsageError(f"/{self.name} {what}", hint=self.usage)


def number_in(text: str, usage: str, *, least: int = 1) -> int:
    """A whole number; a picture's may be written `#1`."""
    digits = text.removeprefix("#")
    if not re.fullmatch(r"-?[0-9]{1,9}", digits):
        raise UsageError(f"{text!r} is no number", hint=usage)
    if int(digits) < least:
        raise UsageError(f"numbers begin with {least} here, not {digits}", hint=usage)
    return int(digits)
