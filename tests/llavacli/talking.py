"""A conversation with the demo checkpoint, held without a terminal: in float32, so that answers can be compared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import llavacli_core as core
from llavacli.options import GenerationOptions, ModelOptions
from llavacli.repl.answering import Answering
from llavacli.repl.conversation import Conversation
from llavacli.repl.keeping import Keeper
from llavacli.repl.recording import header_of
from llavacli.repl.turns import Notice
from llavacli.sessions.store import Store

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
SHAPES, WIDE = str(EXAMPLES / "shapes.png"), str(EXAMPLES / "wide.png")


@dataclass(kw_only=True)
class Heard:
    """What came of an answer."""

    notices: list[str] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    done: core.Done | None = None

    @property
    def text(self) -> str:
        assert self.done is not None
        return self.done.text


def load(_: ModelOptions) -> core.Engine:
    return core.load("demo", dtype="float32", device="cpu")


def talk(database: Path, *, keeping: bool = True, context: Any = "error", **settings: Any) -> Conversation:
    """A new conversation."""
    model, generation = ModelOptions(), GenerationOptions(**settings)
    keeper = Keeper(Store.open(str(database)), header_of(model, generation), lambda _: None, keeping=keeping)
    return Conversation(load, model, generation, keeper, context)


def hear(answering: Iterable[Any], *, stop_after: int | None = None) -> Heard:
    """Listen to an answer; with `stop_after`, end it after so many pieces."""
    heard = Heard()
    for event in answering:
        if isinstance(event, Notice):
            heard.notices.append(event.text)
        elif isinstance(event, core.Text):
            heard.pieces.append(event.text)
            if len(heard.pieces) == stop_after:
                assert isinstance(answering, Answering)
                answering.stop()
        else:
            heard.done = event
    return heard


def afresh(conversation: Conversation, **sampling: Any) -> str:
    """The last turn's answer from an engine that has seen nothing of the conversation."""
    *asked, _ = conversation.session.messages
    messages = [core.Message(each.role, each.parts) for each in asked]
    events = list(load(ModelOptions()).generate(messages, core.Sampling(**sampling)))
    assert isinstance(events[-1], core.Done)
    return events[-1].text
