"""The state behind every chat: its turns, its attachments, its settings and its model. No terminal, no printing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llavacli.failures import UsageError
from llavacli.options import GenerationOptions, ModelOptions
from llavacli.repl import album, opening, parameters
from llavacli.repl.answering import Answering
from llavacli.repl.composing import composed, question, refuse_words, turn_of
from llavacli.repl.fitting import ContextPolicy, make_room, messages_of, policy_in, refused, several
from llavacli.repl.keeping import Keeper
from llavacli.repl.recording import answer_of, header_of
from llavacli.repl.restoring import restored, resumed_settings
from llavacli.repl.turns import Attachment, Notice, Tally, Turn, measured
from llavacli.sessions import records
from llavacli.sources import Source

if TYPE_CHECKING:
    import llavacli_core as core
    from llavacli.repl.answering import Events

Load = Callable[[ModelOptions], "core.Engine"]

CONTEXT = "context"
GREEDY = Notice("a greedy answer comes out the same each time; /set temperature 0.7 varies it", topic="greedy")


class Conversation:
    """Turns and their answers. `load` makes the engine when it is first needed.

    What cannot be done raises UsageError or an error of the core's tree, and changes nothing.
    """

    def __init__(
        self, load: Load, model: ModelOptions, generation: GenerationOptions, keeper: Keeper, context: ContextPolicy
    ) -> None:
        self.model = model
        self.generation = generation
        self.context = context
        self.keeper = keeper
        self.turns: list[Turn] = []
        self.pending: list[Attachment] = []  # for the next turn
        self.shown: list[Attachment] = []  # what the last prompt showed, in its order
        self.marks: Sequence[core.Mark] = ()  # for every picture that is attached
        self.tally = Tally()
        self._load = load
        self._session: core.Session | None = None
        self._numbered = 0  # attachments so far: numbers are never used again
        self._told: set[str] = set()  # topics of notices
        self.written: set[str] = set()  # files that it was saved and exported to

    # The model

    @property
    def session(self) -> core.Session:
        """The core's side of the conversation; the model is loaded if it is not yet."""
        if self._session is None:
            self._session = self._load(self.model).session()
        return self._session

    @property
    def info(self) -> core.ModelInfo:
        """Which model answers; it is loaded if it is not yet."""
        return self.session.engine.info

    def load(self) -> None:
        """Load the model now, if it is not loaded yet."""
        self.session  # noqa: B018

    @property
    def loaded(self) -> core.Engine | None:
        """The model, if it is loaded."""
        return None if self._session is None else self._session.engine

    @property
    def header(self) -> records.Header:
        """What holds for the whole conversation, as it is kept."""
        return header_of(self.model, self.generation)

    @property
    def captions(self) -> bool:
        """Whether the model takes single pictures and no words, so that each picture is a turn of its own."""
        return not self.info.takes_prompt

    @property
    def waits(self) -> bool:
        """Whether pictures wait that are turns by themselves, so that `ask("")` answers the next of them."""
        return self.loaded is not None and bool(self.pending) and self.captions

    def switch(self, model: ModelOptions) -> list[str]:
        """Go on with another model, which gets the whole history; in words, what it will not take of that.

        The old one is let go before the new one is loaded, so that not both need room at once; should loading fail,
        the old one is loaded again when it is needed.
        """
        before, self.model, self._session = self.model, model, None
        try:
            info = self.info
        except BaseException:
            self.model = before
            raise
        self.tally = replace(self.tally, held=frozenset())
        self._told.clear()
        self._keep_header()
        self._place(self.turns if info.takes_prompt else [])
        album.see_anew(self)
        return list(refused(self.session, self.turns, self.pending))

    # Turns

    def ask(self, text: str) -> Answering:
        """Answer what was typed, with the attachments that are pending; these alone are asked the usual prompt."""

        def events(answering: Answering) -> Events:
            gives_up = bool(self.turns) and self.turns[-1].answer is None  # what was restored without an answer
            pending = [*(album.shown_last(self, 1) if gives_up else ()), *self.pending]
            turn = composed(text, pending, self.attachments, self.generation, captions=self.captions)
            notices = []
            if gives_up:
                notices = [Notice(f"given up, as it was never answered: {self.turns[-1].text}")]
                self.undo()
            yield from self._answer(answering, self.turns, turn, notices)

        return Answering(events)

    def retry(self) -> Answering:
        """Answer the last turn anew."""
        last = self._last("ask again")
        turn = replace(last, question=question(last.text, self.generation), answer=None, done=None, finish_reason=None)
        notices = [] if self.generation.temperature > 0 or last.answer is None else [GREEDY]
        return Answering(lambda answering: self._answer(answering, self.turns[:-1], turn, notices))

    def edit(self, text: str) -> Answering:
        """Put other words in the last turn, with the attachments it has, and answer it."""
        turn = turn_of(text, self._last("edit").attachments, self.attachments, self.generation)
        return Answering(lambda answering: self._answer(answering, self.turns[:-1], turn))

    def go_on(self) -> Answering:
        """Go on with the last answer, which was cut short: Text events are the new words, Done is of the whole."""
        last = self._last("continue")
        if last.answer is None:
            raise UsageError("the last turn has no answer yet", hint="/retry answers it")
        if last.finish_reason == "stop":
            raise UsageError("the last answer came to its own end", hint="/retry answers anew")
        return Answering(lambda answering: self._go_on(answering, last))

    def undo(self, count: int = 1) -> Sequence[Attachment]:
        """Take the last turns back; what was attached to them alone, given here, waits for the next one."""
        self._last("take back")
        if count > len(self.turns):
            have = "there is one turn" if len(self.turns) == 1 else f"there are {len(self.turns)} turns"
            raise UsageError(f"{have}, not {count}", hint="/undo alone takes the last one back")
        waiting = album.shown_last(self, count)
        self.turns = self.turns[:-count]
        self.pending = [*waiting, *self.pending]
        self.keeper.cut(len(self.turns))
        return waiting

    def clear(self) -> None:
        """Begin anew: no turns, no attachments. The system prompt, the settings and the model stay."""
        self.turns, self.pending, self._numbered = [], [], 0
        self._told.clear()
        self.keeper.cleared()

    def resume(self, kept: records.Conversation) -> list[str]:
        """Go on with a conversation that was kept, its settings and its system prompt; what there is to say of it."""
        made = restored(kept, self.generation)
        settings = resumed_settings(replace(self.generation, system=None), kept.header)
        self.keeper.resume(kept)
        self.turns, self.pending = made.turns, []
        self.generation = settings
        self._numbered = max((each.number for each in self.attachments), default=0)
        self._told.clear()
        return made.notices

    # Attachments

    @property
    def attachments(self) -> list[Attachment]:
        """All of them, in order: those of the turns, then those pending."""
        return [each for turn in self.turns for each in turn.attachments] + self.pending

    def attach(self, name: str, *, clip: bool = False) -> Attachment:
        """Open a path or a URL and keep it for the next turn; with `clip`, it is meant as one."""
        return self.attach_source(opening.source_of(name, self.generation, clip=clip))

    def attach_source(self, source: Source) -> Attachment:
        """Open what was named already, such as a picture from the clipboard, and keep it for the next turn."""
        marks = () if source.is_clip else self.marks
        attachment = opening.opened(self.session, self.generation, source, self._numbered + 1, marks)
        self._numbered += 1
        self.pending.append(attachment)
        return attachment

    def rewrite(self, turn: Turn, changed: Turn | None) -> None:
        """Put a turn, or nothing, in the place of one."""
        index = next(index for index, each in enumerate(self.turns) if each is turn)
        self.turns[index : index + 1] = [] if changed is None else [changed]
        self.keeper.changed(index, changed)

    # Settings

    @property
    def system(self) -> str | None:
        """The system prompt."""
        return self.generation.system

    def set_system(self, text: str | None) -> None:
        """Give the model another system prompt, or none."""
        if self.loaded is not None and self.captions:
            refuse_words("", text)
        generation = replace(self.generation, system=text)
        question("", generation)  # refuses what is no UTF-8
        self.generation = generation
        self._keep_header()

    def set(self, name: str, value: str) -> None:
        """Change one setting, with the same checks as its flag."""
        if name == CONTEXT:
            self.context = policy_in(value)
            return
        self.generation = parameters.changed(self.generation, name, value)
        if name.replace("-", "_") in ("max_tiles", "frames", "fps"):
            self.pending = [
                opening.opened(self.session, self.generation, each.source, each.number, opening.marks_of(each))
                for each in self.pending
            ]
        self._keep_header()

    def settings(self) -> Iterator[tuple[str, str]]:
        """Each setting and its value, as `set` takes them."""
        yield from parameters.listed(self.generation)
        yield CONTEXT, self.context

    def params(self) -> dict[str, Any]:
        """What a record says of the settings, without an answer."""
        return question("", self.generation).params(None)

    # How a turn is answered

    def _answer(
        self, answering: Answering, before: Sequence[Turn], turn: Turn, notices: Sequence[Notice] = ()
    ) -> Events:
        """Answer `turn` after those `before` it; once it is done, they are the conversation."""
        import llavacli_core as core

        session, new = self.session, len(before) == len(self.turns)
        left_out = [earlier.left_out for earlier in before]
        try:
            yield from self._news([*notices, *self._prepared(before, turn)])
            if new:
                self.keeper.sent(len(before), turn)
            for event in answering.run(session.generate(turn.parts, turn.question.sampling)):
                if isinstance(event, core.Done):
                    self._done(before, turn, event)
                yield event
        except BaseException:
            if turn.done is None:
                for earlier, was in zip(before, left_out, strict=True):
                    earlier.left_out = was
                if new:
                    self.keeper.cut(len(before))
            raise

    def _go_on(self, answering: Answering, last: Turn) -> Events:
        """The rest of an answer."""
        import llavacli_core as core

        turn = replace(last, question=question(last.text, self.generation))
        self._place([last] if self.captions else self.turns)
        for event in answering.run(self.session.go_on(turn.question.sampling)):
            if isinstance(event, core.Done):
                self._done(self.turns[:-1], turn, event)
            yield event

    def _prepared(self, before: Sequence[Turn], turn: Turn) -> Iterator[Notice]:
        """Give the session what goes before the turn; what there is to know about that."""
        if self.captions:
            self.session.messages.clear()
            return
        yield from make_room(self.session, before, turn, self.system, self.context)
        yield from several(self.info, [*before, turn])

    def _done(self, before: Sequence[Turn], turn: Turn, done: core.Done) -> None:
        """Take an answer down."""
        shown = [turn] if self.captions else [*before, turn]
        turn.answer, turn.done, turn.finish_reason = self.session.messages[-1], done, done.finish_reason
        self.shown = measured(shown, done)
        self.turns = [*before, turn]
        self.pending = [each for each in self.pending if all(each.part is not part for part in turn.parts)]
        self.tally = self.tally.add(done, self.shown)
        turn.kept = answer_of(turn, done, self.info)
        self.keeper.answered(len(before), turn)

    def _news(self, notices: Iterable[Notice]) -> Iterator[Notice]:
        """The notices that are still news."""
        for notice in notices:
            if notice.topic not in self._told:
                yield notice
            if notice.topic is not None:
                self._told.add(notice.topic)

    def _place(self, turns: Sequence[Turn]) -> None:
        """Make these turns the session's."""
        self.session.messages[:] = messages_of(turns, None if self.captions else self.system)

    def _last(self, what: str) -> Turn:
        """The last turn, to do something with."""
        if not self.turns:
            raise UsageError(f"there is no turn to {what}", hint="ask something first")
        return self.turns[-1]

    def _keep_header(self) -> None:
        """Have what holds for the whole conversation kept."""
        self.keeper.set_header(self.header)
