"""What the core is asked about an item, and the record of what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from llavacli.captioning.picture import Item
from llavacli.captioning.wording import Wording
from llavacli.failures import Failure, UsageError
from llavacli.render import record
from llavacli.request import Question, Request

if TYPE_CHECKING:
    import llavacli_core as core


@dataclass(frozen=True, kw_only=True)
class Asker:
    """The run's question, to be asked with each item's own prompt."""

    question: Question
    wording: Wording
    unloaded: Mapping[str, Any]  # the model, in the record of a picture that it never saw
    tokens: bool

    def messages(self, item: Item, info: core.ModelInfo) -> list[core.Message]:
        """The conversation."""
        return self._question(item).messages(_request(item), info)

    def prompt(self, item: Item, info: core.ModelInfo | None) -> str | None:
        """What is asked; None of a captioner."""
        return self._question(item).prompt_for(_request(item), info)

    def check(self, item: Item, info: core.ModelInfo) -> None:
        """Refuse words for a model that reads none, or clips for one that sees none."""
        if self.question.prompt is None and item.prompt is not None and not info.takes_prompt:
            raise UsageError("this model writes captions without a prompt", hint="leave out --prompt-file")
        self.messages(item, info)
        if item.picture.is_clip and not info.takes_videos:
            raise UsageError("this model takes no videos", hint="leave out --videos, or choose a model that does")

    def about(self, item: Item, warning: str) -> str:
        """A warning of the core, headed by the picture's name once."""
        return _request(item).about(warning)

    def answered(self, item: Item, done: core.Done, info: core.ModelInfo, load: float) -> dict[str, Any]:
        """The record of an answer."""
        empty = self._record(item, info, done.max_tokens)
        named = _request(item)
        filled = record.answered(done, named.images, named.videos, load, tokens=self.tokens)
        filled["text"] = self.wording.caption(done.text, was_cut=done.finish_reason == "length")
        return empty | filled

    def refused(self, item: Item, failure: Failure, info: core.ModelInfo | None) -> dict[str, Any]:
        """The record of an error."""
        return self._record(item, info, None) | record.refused(failure)

    def skipped(self, item: Item) -> dict[str, Any]:
        """The record of what was done before."""
        return self._record(item, None, None) | {"status": "skipped"}

    def _record(self, item: Item, info: core.ModelInfo | None, max_tokens: int | None) -> dict[str, Any]:
        return record.empty(
            source=item.picture.path,
            prompt=self.prompt(item, info),
            system=self.question.system,
            model=self.unloaded if info is None else record.model(info),
            params={**self.question.params(max_tokens), **self.wording.params()},
            tokens=self.tokens,
        )

    def _question(self, item: Item) -> Question:
        return replace(self.question, prompt=item.prompt)


def _request(item: Item) -> Request:
    return Request(sources=[item.picture.source], together=False)
