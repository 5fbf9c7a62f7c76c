"""An answer being written: ids in, text that is safe to show out, and the reason it ended."""

from __future__ import annotations

from collections.abc import Sequence

from llavacli_core.engine.settled import Settled
from llavacli_core.events import FinishReason
from llavacli_core.prompt.detokenizer import Detokenizer
from llavacli_core.prompt.stopping import StopText
from llavacli_core.prompt.tokenizer import Tokenizer


class Tally:
    """Takes ids one by one, until a stop id or the limit of so many ids sets `finish_reason`."""

    def __init__(self, settled: Settled) -> None:
        self.ids: list[int] = []
        self.finish_reason: FinishReason | None = None
        self._stop_ids = frozenset(settled.stop_ids)
        self._limit = settled.limit

    @property
    def left(self) -> int:
        """How many ids more it may have."""
        return self._limit - len(self.ids)

    def take(self, token_id: int) -> str:
        """Add an id; the text that can be shown now, which a tally has none of."""
        self.ids.append(token_id)
        if token_id in self._stop_ids:
            self.finish_reason = "stop"
        elif len(self.ids) >= self._limit:
            self.finish_reason = "length"
        return ""

    def end(self, reason: FinishReason) -> str:
        """Nothing more comes."""
        self.finish_reason = reason
        return ""


class Transcript(Tally):
    """A tally that is read as well: a stop string may end it, too. `text` begins with what was `said` before."""

    def __init__(self, tokenizer: Tokenizer, settled: Settled, said: Sequence[int] = ()) -> None:
        super().__init__(settled)
        self._detokenizer = Detokenizer(tokenizer)
        text = "".join(map(self._detokenizer.push, said))
        self._stops = StopText(settled.sampling.stop)
        again = self._stops.follow(text)
        self.text = text.removesuffix(again)
        self._again = len(again)  # characters that come again, and were shown
        self._told = _held_back(tokenizer, said)

    def take(self, token_id: int) -> str:
        """Add an id; the text that can be shown now. A stop id is kept among `ids` and never shown."""
        self.ids.append(token_id)
        if token_id in self._stop_ids:
            return self.end("stop")
        shown, stopped = self._stops.push(self._detokenizer.push(token_id))
        shown = self._add(shown)
        if stopped:
            self.finish_reason = "stop"
        elif len(self.ids) >= self._limit:
            return shown + self.end("length")
        return shown

    def end(self, reason: FinishReason) -> str:
        """Nothing more comes; the text that was held back until now."""
        self.finish_reason = reason
        shown, stopped = self._stops.push(self._detokenizer.finish())
        if not stopped:
            shown += self._stops.finish()
        return self._add(shown)

    def _add(self, shown: str) -> str:
        """Take in more of the text; the part of it that was not shown when the answer was cut short."""
        self.text += shown
        again = min(self._again, len(shown))
        self._again -= again
        shown = shown[again:]
        told = self._told if shown.startswith(self._told) else ""
        self._told = "" if shown else self._told
        return shown[len(told) :]


def _held_back(tokenizer: Tokenizer, said: Sequence[int]) -> str:
    """What ended the text of an answer that was cut short: half a character, shown as a replacement character."""
    detokenizer = Detokenizer(tokenizer)
    for token_id in said:
        detokenizer.push(token_id)
    return detokenizer.finish()
