"""A conversation kept as it goes on: each turn when it is sent, each answer when it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from llavacli.repl.recording import parts_of
from llavacli.repl.turns import Turn
from llavacli.sessions import records
from llavacli.sessions.errors import StoreError

if TYPE_CHECKING:
    from llavacli.sessions.saved import Saved
    from llavacli.sessions.store import Store


class Keeper:
    """Writes a conversation to a store, if it is `keeping`, and until that fails, which `warn` is told.

    A turn's position is its index among the turns; in the store its two rows are the user's and the answer's.
    """

    def __init__(self, store: Store, header: records.Header, warn: Callable[[str], None], *, keeping: bool) -> None:
        self.store = store
        self.header = header
        self.keeping = keeping
        self._warn = warn
        self._saved: Saved | None = None

    @property
    def id(self) -> str | None:
        """What the conversation goes by; None as long as nothing of it is kept."""
        return None if self._saved is None else self._saved.id

    def resume(self, conversation: records.Conversation) -> None:
        """From now on, write to a conversation that was loaded from the store, or to a copy of one from elsewhere."""
        self.header, self._saved = conversation.header, None
        if self.keeping and conversation.id is not None:
            self._saved = self.store.resume(conversation)
        elif self.keeping:
            self._saved = self.store.begin(conversation.header, conversation.turns)

    def sent(self, position: int, turn: Turn) -> None:
        """A turn is about to be answered."""
        self._write(lambda saved: saved.add_user(parts_of(turn, self._copy), at=2 * position))

    def answered(self, position: int, turn: Turn) -> None:
        """A turn has its answer, which takes the place of what was at its position and behind it."""
        assert turn.kept is not None
        answer = turn.kept
        self._write(lambda saved: saved.add_assistant(answer, asked=parts_of(turn, self._copy), at=2 * position + 1))

    def cut(self, position: int) -> None:
        """The turns from a position on are no more."""
        if self._saved is not None and len(self._saved.turns) > 2 * position:
            self._write(lambda saved: saved.cut(2 * position))

    def changed(self, position: int, turn: Turn | None) -> None:
        """The turn at a position has other attachments, or if it is None, it is gone."""

        def write(saved: Saved) -> None:
            rows = saved.turns[2 * position :]
            asked = [] if turn is None else [replace(rows[0], parts=parts_of(turn, self._copy)), *rows[1:2]]
            saved.put([*asked, *rows[2:]], at=2 * position)

        if self._saved is not None:
            self._write(write)

    def set_header(self, header: records.Header) -> None:
        """Model, system prompt and settings are these from now on."""
        self.header = header
        if self._saved is not None:
            self._write(lambda saved: saved.set(header))

    def cleared(self) -> None:
        """A new conversation begins; what was kept stays."""
        self._saved = None

    def _write(self, write: Callable[[Saved], None]) -> None:
        """Write, if there is a store that takes it."""
        if not self.keeping:
            return
        try:
            if self._saved is None:
                self._saved = self.store.begin(self.header)
            before = self._saved.id
            write(self._saved)
            if before not in (None, self._saved.id):
                self._warn(f"another process went on with {before}; this one goes on as {self._saved.id}")
        except StoreError as error:
            self.keeping, self._saved = False, None
            self._warn(f"from here on the conversation is not kept: {error}")

    def _copy(self, data: bytes) -> str | None:
        """A copy of what has no file of its own."""
        return self.store.keep(data) if self.keeping else None
