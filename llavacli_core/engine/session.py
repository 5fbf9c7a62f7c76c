"""A conversation that keeps its turns and its memory, so that a new turn costs only its own tokens."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from llavacli_core.engine.generate import Generation, Stopped
from llavacli_core.engine.memory import keys_of
from llavacli_core.engine.plan import Plan
from llavacli_core.engine.prepared import Prepared
from llavacli_core.engine.request import Request
from llavacli_core.errors import BadOption
from llavacli_core.events import Done, Event
from llavacli_core.messages import Image, Message, Part, Video
from llavacli_core.options import Sampling
from llavacli_core.prompt.detokenizer import Detokenizer
from llavacli_core.prompt.tokenizer import Tokenizer

if TYPE_CHECKING:
    from llavacli_core.engine.engine import Engine


class Session:
    """`messages` is the conversation so far and may be edited between turns: memory is by content, so it stays true.

    To undo a turn, drop its messages; to ask again, drop them and generate; to take a picture out, replace the message
    that holds it. Only what follows the change is computed again.
    """

    def __init__(self, engine: Engine, system: str | None = None) -> None:
        self.engine = engine
        self.messages: list[Message] = [] if system is None else [Message("system", system)]
        self.request: Request | None = None  # the last that was answered: exactly what the model got
        self._memory = engine.memory()
        self._opened: dict[int, Prepared] = {}
        self._said: tuple[Message, tuple[int, ...]] | None = None  # the last answer, and its ids as generated

    def generate(self, parts: Part | Sequence[Part], sampling: Sampling | None = None) -> Generation[Event]:
        """Answer a user turn. The turn and its answer join `messages` when the last event has been made."""
        turn = Message("user", parts)
        sampling = Sampling() if sampling is None else sampling

        def events(stopped: Stopped) -> Generator[Event]:
            request = self._prepare([*self.messages, turn])
            yield from self._answer(request, [*self.messages, turn], sampling, stopped)

        return Generation(events)

    def go_on(self, sampling: Sampling | None = None) -> Generation[Event]:
        """Go on with the last answer, which was cut short. Text events are the new words, Done is of the whole answer.

        The whole answer takes the place of the last message. Raises BadOption where that is no answer.
        """
        sampling = Sampling() if sampling is None else sampling

        def events(stopped: Stopped) -> Generator[Event]:
            if not self.messages or self.messages[-1].role != "assistant":
                raise BadOption("there is no answer to go on with", hint="ask something first")
            *before, answer = self.messages
            request = self._prepare(before)
            said = self._ids_of(answer, before, request)
            request = replace(request, token_ids=request.token_ids + said, said=said)
            yield from self._answer(request, before, sampling, stopped)

        return Generation(events)

    def open(self, part: Image | Video) -> Prepared:
        """Open a picture or a video ahead of the turn that will show it; `seen` says how it will enter the prompt.

        Raises InputError, or BadOption where the model takes none of its kind.
        """
        self.engine.processor.prepare([Message("user", part)], self._opened)
        return self._opened[id(part)]

    def plan(self, parts: Part | Sequence[Part] | None = None) -> Plan:
        """What the next turn would come to, or without `parts` the conversation as it is; nothing is computed."""
        messages = self.messages if parts is None else [*self.messages, Message("user", parts)]
        request = self._prepare(messages)
        cached = 0 if self._memory is None else self._memory.shared(keys_of(request))
        return Plan(request=request, cached_tokens=cached, positions=self.engine.processor.info.max_positions)

    def _prepare(self, messages: Sequence[Message]) -> Request:
        """The request, with what was opened before; what has left the conversation is let go."""
        request = self.engine.processor.prepare(messages, self._opened)
        kept = {id(part) for message in (*self.messages, *messages) for part in message.parts}
        self._opened = {key: value for key, value in self._opened.items() if key in kept}
        return request

    def _answer(
        self, request: Request, before: Sequence[Message], sampling: Sampling, stopped: Stopped
    ) -> Generator[Event]:
        """The engine's events; the conversation becomes `before` and the answer only if that comes to its end."""
        for event in self.engine.answer(request, sampling, self._memory, stopped=stopped):
            if isinstance(event, Done):
                answer = Message("assistant", event.text)
                self.messages[:] = [*before, answer]
                self.request = request
                self._said = answer, event.token_ids
            yield event

    def _ids_of(self, answer: Message, before: Sequence[Message], request: Request) -> tuple[int, ...]:
        """An answer's ids without its end: as they were generated, or as the prompt of a turn after it has them."""
        tokenizer = self.engine.processor.tokenizer
        if self._said is not None and self._said[0] is answer:
            ids = self._said[1]
            ids = ids[:-1] if ids and ids[-1] in request.stop_ids else ids
            if answer.text in _texts(tokenizer, ids):  # a stop string cuts the text, not the ids
                return ids
        if self.engine.processor.info.takes_prompt:
            after = self._prepare([*before, answer, Message("user", "?")]).token_ids
            start = len(request.token_ids)
            detokenizer, text = Detokenizer(tokenizer), ""
            for end, token_id in enumerate(after[start:], start + 1):
                text += detokenizer.push(token_id)
                if text == answer.text and after[:start] == request.token_ids:
                    return after[start:end]
        return tuple(tokenizer.encode(answer.text, add_special_tokens=False))


def _texts(tokenizer: Tokenizer, ids: Sequence[int]) -> tuple[str, str]:
    """The text of an answer's ids, if it goes on and if it ends there: with what is held back of a character."""
    detokenizer = Detokenizer(tokenizer)
    text = "".join(map(detokenizer.push, ids))
    return text, text + detokenizer.finish()
