"""Answers decoded together: rows that join when they are prefilled and leave when they are done, between any two steps.

R rows  V vocabulary
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor

from llavacli_core.checkpoint.place import memory_for
from llavacli_core.engine.forward import FEWER
from llavacli_core.engine.runner import Network
from llavacli_core.engine.sampling import Chooser
from llavacli_core.engine.transcript import Tally
from llavacli_core.nn.rows import Rows

Kind = TypeVar("Kind", bound=Tally)


class Answering(Generic[Kind]):
    """One answer under way: how its ids are chosen, and what was chosen so far."""

    def __init__(self, choose: Chooser, tally: Kind) -> None:
        self.choose = choose
        self.tally = tally


Shown = tuple[Answering[Kind], str]


class Together(Generic[Kind]):
    """The answers under way on one network; never more than `most`, where that is known."""

    def __init__(self, network: Network, most: int | None = None) -> None:
        self.network, self.most = network, most
        self.answers: list[Answering[Kind]] = []
        self._rows: Rows | None = None

    @torch.inference_mode()
    def join(self, rows: Rows, logits: Tensor, answers: Sequence[Answering[Kind]]) -> list[Shown[Kind]]:
        """Take in rows that were prefilled, with the scores [R, V] of their next tokens; what each can show now.

        Where memory fails, nothing has changed.
        """
        if self._rows is None:
            self._rows = rows
        else:
            with memory_for(f"{len(self.answers) + len(answers)} answers at once", rows.device, FEWER):
                self._rows.join(rows, self.most)
        self.answers += answers
        shown = _take(answers, logits)
        self.drop_ended()
        return shown

    @torch.inference_mode()
    def step(self) -> list[Shown[Kind]]:
        """One token more for every answer; what each can show. Those that ended have left.

        Where memory fails, nothing has changed.
        """
        assert self._rows is not None
        tokens = torch.tensor([answer.tally.ids[-1] for answer in self.answers], device=self._rows.device)
        with memory_for(f"{len(self.answers)} answers at once", self._rows.device, FEWER):
            logits = self.network.step(tokens, self._rows)
        shown = _take(self.answers, logits)
        self.drop_ended()
        return shown

    def drop_ended(self) -> None:
        """Let go of the rows whose answers have ended."""
        self._drop({place for place, answer in enumerate(self.answers) if answer.tally.finish_reason is not None})

    def put_aside(self, count: int) -> list[Answering[Kind]]:
        """Let go of the last rows; their answers, which may join again."""
        aside = self.answers[-count:]
        self._drop(set(range(len(self.answers) - count, len(self.answers))))
        return aside

    @torch.inference_mode()
    def _drop(self, gone: set[int]) -> None:
        if not gone:
            return
        if len(gone) == len(self.answers):
            self.answers, self._rows = [], None
        else:
            assert self._rows is not None
            self.answers = [self.answers[row] for row in self._rows.drop(gone)]


def _take(answers: Sequence[Answering[Kind]], logits: Tensor) -> list[Shown[Kind]]:
    """Choose the next id of every row, with one wait for the device."""
    if all(answer.choose.takes_the_best for answer in answers):
        chosen = logits.argmax(-1)
    else:
        chosen = torch.cat(
            [answer.choose(logits[row : row + 1], answer.tally.ids)[0] for row, answer in enumerate(answers)]
        )
    return [(answer, answer.tally.take(token_id)) for answer, token_id in zip(answers, chosen.tolist(), strict=True)]
