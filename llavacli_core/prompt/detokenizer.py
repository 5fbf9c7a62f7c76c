"""New ids to text as they come: whole characters only, and joined exactly what decoding all ids at once gives."""

from __future__ import annotations

from llavacli_core.prompt.decoders import stages
from llavacli_core.prompt.tokenizer import Tokenizer


class Detokenizer:
    """The text of one answer: `push` each id, `finish` at the end; a detokenizer serves a single answer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._piece = tokenizer.piece
        self._stages = stages(tokenizer.backend, cleans_up=tokenizer.cleans_up)

    def push(self, token_id: int) -> str:
        """The text that is certain now, often the token's own; empty for special tokens and unfinished characters."""
        piece = self._piece(token_id)
        return "" if piece is None else self._through(0, [piece])

    def finish(self) -> str:
        """What was held back."""
        return "".join(self._through(place + 1, stage.end()) for place, stage in enumerate(self._stages))

    def _through(self, first: int, tokens: list[str]) -> str:
        """Tokens sent through the stages from `first` on."""
        for stage in self._stages[first:]:
            tokens = [out for token in tokens for out in stage.feed(token)]
        return "".join(tokens)
