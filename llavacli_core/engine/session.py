"""A conversation that keeps its turns and its memory, so that a new turn costs only its own tokens."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

from llavacli_core.engine.generate import Generation, Stopped
from llavacli_core.engine.prepared import Prepared
from llavacli_core.events import Done, Event
from llavacli_core.messages import Message, Part
from llavacli_core.options import Sampling

if TYPE_CHECKING:
    from llavacli_core.engine.engine import Engine


class Session:
    """`messages` is the conversation so far and may be edited between turns: memory is by content, so it stays true."""

    def __init__(self, engine: Engine, system: str | None = None) -> None:
        self.engine = engine
        self.messages: list[Message] = [] if system is None else [Message("system", system)]
        self._memory = engine.memory()
        self._opened: dict[int, Prepared] = {}

    def generate(self, parts: Part | Sequence[Part], sampling: Sampling | None = None) -> Generation[Event]:
        """Answer a user turn. The turn and its answer join `messages` when the last event has been made."""
        turn = Message("user", parts)
        sampling = Sampling() if sampling is None else sampling
        return Generation(lambda stopped: self._answer(turn, sampling, stopped))

    def _answer(self, turn: Message, sampling: Sampling, stopped: Stopped) -> Generator[Event]:
        """The engine's events over the whole conversation; the turn is kept only if it comes to its end."""
        messages = [*self.messages, turn]
        request = self.engine.processor.prepare(messages, self._opened)
        for event in self.engine.answer(request, sampling, self._memory, stopped=stopped):
            if isinstance(event, Done):
                self.messages += [turn, Message("assistant", event.text)]
            yield event
