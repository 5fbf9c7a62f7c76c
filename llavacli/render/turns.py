"""The answers of a conversation that no terminal shows: as text, one after the other, or as records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from llavacli.loading import model_name
from llavacli.render.record import answered, empty, line, model, refused, unloaded
from llavacli.render.text import LastNewlines, escaped

if TYPE_CHECKING:
    import llavacli_core as core
    from llavacli.failures import Failure
    from llavacli.repl.conversation import Conversation
    from llavacli.repl.turns import Attachment
    from llavacli.streams import Output


class TurnView(Protocol):
    """Where the answers of a conversation go."""

    def piece(self, text: str) -> None:
        """Take a piece of an answer as it comes."""

    def done(self, done: core.Done) -> None:
        """End the answer, which is the last turn's."""

    def failed(self, text: str, attachments: Sequence[Attachment], failure: Failure) -> None:
        """End a turn that came to nothing; `text` is what was said in it."""


class TurnTexts:
    """Answers as text, each ended by exactly one newline: streamed on a terminal, whole in a pipe."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._open = False
        self._newlines = LastNewlines()

    def piece(self, text: str) -> None:
        """Show a piece on a terminal; a pipe waits for the whole."""
        if not self._output.is_terminal:
            return
        kept = self._newlines.push(text)
        if kept:
            self._open = True
            self._output.write(escaped(kept))

    def done(self, done: core.Done) -> None:
        """End the answer. One that was interrupted before its first word leaves no trace."""
        if done.text or done.finish_reason != "interrupted":
            self._output.write("\n" if self._output.is_terminal else done.text.rstrip("\n") + "\n")
        self._open = False
        self._newlines.drop()

    def failed(self, text: str, attachments: Sequence[Attachment], failure: Failure) -> None:
        """End the line of an answer that broke off; what went wrong is for stderr."""
        if self._open:
            self._output.write("\n")
        self._open = False
        self._newlines.drop()


class TurnRecords:
    """One record per turn; its `source` is the list of what was attached to that turn, or null."""

    def __init__(self, conversation: Conversation, output: Output, *, tokens: bool) -> None:
        self._conversation = conversation
        self._output = output
        self._tokens = tokens
        self._told: core.Engine | None = None  # whose loading a record has told

    def piece(self, text: str) -> None:
        """Nothing: a record is whole."""

    def done(self, done: core.Done) -> None:
        """Write the record of an answer, whole or interrupted."""
        conversation = self._conversation
        turn, engine = conversation.turns[-1], conversation.session.engine
        load = 0.0 if self._told is engine else engine.load_ms
        self._told = engine
        pictures = [each.source.name for each in conversation.shown if not each.source.is_clip]
        clips = [each.source.name for each in conversation.shown if each.source.is_clip]
        record = self._empty(turn.text, turn.attachments, turn.question.params(done.max_tokens))
        self._output.write(line(record | answered(done, pictures, clips, load, tokens=self._tokens)))

    def failed(self, text: str, attachments: Sequence[Attachment], failure: Failure) -> None:
        """Write the record of an error."""
        record = self._empty(text, attachments, self._conversation.params())
        self._output.write(line(record | refused(failure)))

    def _empty(self, text: str, attachments: Sequence[Attachment], params: dict[str, Any]) -> dict[str, Any]:
        """A turn's record, with nothing in it yet."""
        engine, options = self._conversation.loaded, self._conversation.model
        described = unloaded(model_name(options), options.revision) if engine is None else model(engine.info)
        return empty(
            source=[each.source.name for each in attachments] or None,
            prompt=text or None,
            system=self._conversation.system,
            model=described,
            params=params,
            tokens=self._tokens,
        )
