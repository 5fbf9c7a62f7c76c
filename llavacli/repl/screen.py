"""What the chat shows on a terminal: answers as they come, and lines that stand back from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from llavacli.failures import Failure, UsageError
from llavacli.render.text import escaped
from llavacli.repl.indicator import Indicator, dim
from llavacli.repl.keys import BY_LINE, EDITED
from llavacli.repl.look import Look
from llavacli.repl.streaming import AsItIs, Writing
from llavacli.repl.terminal import columns
from llavacli.streams import Notes, Output

if TYPE_CHECKING:
    import llavacli_core as core
    from llavacli.repl.turns import Attachment, Turn

GREETING = "/help lists commands and keys, Ctrl-D leaves"


class TerminalScreen:
    """Shows a chat on stdout, which is a terminal."""

    def __init__(self, look: Look, output: Output, notes: Notes, engine: Callable[[], core.Engine]) -> None:
        self.look = look
        self.output = output
        self._notes = notes
        self._engine = engine
        self._indicator: Indicator | None = None
        self.spins = not look.by_line
        self.verbose = notes.verbose
        self.announces = look.accessible
        self.keys: Sequence[tuple[str, str]] = BY_LINE if look.by_line else EDITED

    def greet(self, info: core.ModelInfo) -> None:
        """Say who answers, and where help is."""
        if self._notes.quiet:
            return
        self.note(f"{info.id} · {info.max_positions:,} tokens of context · {GREETING}")

    def recall(self, turns: Sequence[Turn]) -> None:
        """Show where a conversation had got to that is gone on with: its last turn, and how many come before."""
        if not turns:
            return
        *earlier, last = turns
        if earlier:
            self.note(f"{len(earlier)} earlier {'turn' if len(earlier) == 1 else 'turns'}; /export md shows all")
        for attachment in last.attachments:
            self.note(attachment.described)
        self.say("> " + last.text.replace("\n", "\n> "))
        if last.answer is not None:
            writing = self.begin_answer()
            self.output.write(writing.push(last.answer.text))
            self.output.write(writing.finish())

    def begin_answer(self) -> Writing:
        """The first piece has come."""
        if self.look.accessible:
            from llavacli.render.accessible import SentenceStream

            return SentenceStream()
        if not self.look.markdown:
            return AsItIs()
        from llavacli.render.markdown import MarkdownStream

        return MarkdownStream(columns, color=self.output.colored)

    def say(self, text: str) -> None:
        """Show what was asked for, as text."""
        self.output.write(f"{escaped(text)}\n")

    def note(self, text: str) -> None:
        """Tell something in a line of its own, which stands back from the answers."""
        self.output.write(f"{dim(escaped(text, lines=False), self.output)}\n")

    def warn(self, text: str) -> None:
        """Tell what may spoil the result."""
        self._headed("33", "warning:", text)

    def show(self, attachment: Attachment, *, as_seen: bool) -> None:
        """Draw a picture, or its tiles as the model gets them."""
        if self.look.by_line:
            raise UsageError("no pictures are drawn on this terminal", hint="/images lists them")
        from llavacli.repl.showing import drawn

        engine = self._engine()
        self.output.write(drawn(attachment, engine, as_seen=as_seen, color=self.output.colored))

    def copy(self, text: str) -> None:
        """Put text on the clipboard; where no program does, ask the terminal to, if it understands."""
        from llavacli.repl import clipboard

        clipboard.copy(text, None if self.look.by_line else self.output.write)

    def failed(self, what: Failure, cause: BaseException) -> None:
        """Say what went wrong and what to do; with --debug, where it came from."""
        if self._notes.debug:
            import traceback

            self.output.write(escaped("".join(traceback.format_exception(cause))))
        self._headed("1;31", "error:", str(what))

    def watch(self, indicator: Indicator | None) -> None:
        """Know the word that tells of waiting, as long as it may be there."""
        self._indicator = indicator

    def clear_indicator(self) -> None:
        """Take the word away before the process stops."""
        if self._indicator is not None:
            self._indicator.hide()

    def _headed(self, style: str, word: str, text: str) -> None:
        """A line that begins with a word of its own colour."""
        head = f"\x1b[{style}m{word}\x1b[0m" if self.output.colored else word
        self.output.write(f"{head} {escaped(text, lines=False)}\n")
