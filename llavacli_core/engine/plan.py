"""What a turn would cost, before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass

from llavacli_core.engine.request import Request


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A prompt ready to be sent: `cached_tokens` of it need not be computed, `positions` the model has in all."""

    request: Request
    cached_tokens: int
    positions: int

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt, pictures and videos included."""
        return len(self.request.token_ids)

    @property
    def room(self) -> int:
        """Positions left for the answer; below one, the prompt does not fit."""
        return self.positions - self.prompt_tokens
