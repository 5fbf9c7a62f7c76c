"""Answers decoded together: rows that join when they are prefilled and leave when they are done, between any two steps.

R rows  T tokens of a step for each row: the one after what was said, and drafts of those behind it  V vocabulary
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor

from llavacli_core.checkpoint.place import memory_for
from llavacli_core.engine.drafts import Drafts
from llavacli_core.engine.forward import FEWER
from llavacli_core.engine.pace import Pace
from llavacli_core.engine.runner import Network
from llavacli_core.engine.sampling import Chooser, best
from llavacli_core.engine.transcript import Tally
from llavacli_core.errors import OutOfMemory
from llavacli_core.nn.rows import Rows

Kind = TypeVar("Kind", bound=Tally)


class Answering(Generic[Kind]):
    """One answer under way: how its ids are chosen, and what was chosen so far."""

    def __init__(self, choose: Chooser, tally: Kind) -> None:
        self.choose = choose
        self.tally = tally


Shown = tuple[Answering[Kind], str]


class Together(Generic[Kind]):
    """The answers under way on one network; never more than `most`, where that is known.

    With `drafts` a step may bring an answer several tokens on.
    """

    def __init__(self, network: Network, most: int | None = None, drafts: Drafts | None = None) -> None:
        self.network, self.most, self.drafts = network, most, drafts
        self.pace = Pace()
        self.answers: list[Answering[Kind]] = []
        self._rows: Rows | None = None

    @torch.inference_mode()
    def join(self, rows: Rows, logits: Tensor, answers: Sequence[Answering[Kind]]) -> list[Shown[Kind]]:
        """Take in rows that were prefilled, with the scores [R, V] of their next tokens; what each can show now.

        Where memory fails, nothing has changed.
        """
        with memory_for(f"{len(self.answers) + len(answers)} answers at once", rows.device, FEWER):
            chosen = _chosen(answers, logits[:, None])
            if self._rows is None:
                self._rows = rows
            else:
                self._rows.join(rows, self.most)
        self.answers += answers
        shown, _ = self._take(answers, [()] * len(answers), chosen)
        self.drop_ended()
        return shown

    @torch.inference_mode()
    def step(self) -> list[Shown[Kind]]:
        """At least one token more for every answer; what each can show. Those that ended have left.

        Where memory fails, nothing has changed.
        """
        assert self._rows is not None
        started = time.perf_counter()
        drafts = self._drafts()
        width = max(map(len, drafts))
        ids = [
            [answer.tally.ids[-1], *draft, *[0] * (width - len(draft))]
            for answer, draft in zip(self.answers, drafts, strict=True)
        ]
        before = self._rows.lengths
        try:
            with memory_for(f"{len(self.answers)} answers at once", self._rows.device, FEWER):
                tokens = torch.tensor(ids, device=self._rows.device)
                chosen = _chosen(self.answers, self.network.step(tokens, self._rows))
        except OutOfMemory:
            self._rows.take_back([now - then for now, then in zip(self._rows.lengths, before, strict=True)])
            raise
        shown, kept = self._take(self.answers, drafts, chosen)
        self._rows.take_back([1 + width - count for count in kept])
        if self.drafts is not None:
            self.pace.took(drafts=width > 0, tokens=sum(kept), seconds=time.perf_counter() - started)
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

    def _drafts(self) -> list[Sequence[int]]:
        """What each answer may go on with behind its next token, as far as it may go on."""
        if self.drafts is None or not _take_the_best(self.answers) or not self.pace.drafts():
            return [()] * len(self.answers)
        room = min(answer.tally.left for answer in self.answers) - 1  # of any: the rest is padded to the longest draft
        return [self.drafts.of(answer.tally.ids)[:room] for answer in self.answers]

    def _take(
        self, answers: Sequence[Answering[Kind]], drafts: Sequence[Sequence[int]], chosen: Sequence[list[int]]
    ) -> tuple[list[Shown[Kind]], list[int]]:
        """Take the ids [R, T] that were chosen; what each can show, and how many of T hold in each row.

        A draft's ids do as far as they are what is chosen, and what is chosen behind each of these counts, too.
        """
        shown, kept = list[Shown[Kind]](), list[int]()
        for answer, draft, ids in zip(answers, drafts, chosen, strict=True):
            text, count = answer.tally.take(ids[0]), 1
            while count <= len(draft) and draft[count - 1] == ids[count - 1] and answer.tally.finish_reason is None:
                text += answer.tally.take(ids[count])
                count += 1
            if self.drafts is not None:
                self.drafts.learn(answer.tally.ids, count)
            shown.append((answer, text))
            kept.append(count)
        return shown, kept

    @torch.inference_mode()
    def _drop(self, gone: set[int]) -> None:
        if not gone:
            return
        if len(gone) == len(self.answers):
            self.answers, self._rows = [], None
        else:
            assert self._rows is not None
            self.answers = [self.answers[row] for row in self._rows.drop(gone)]


def _chosen(answers: Sequence[Answering[Kind]], logits: Tensor) -> list[list[int]]:
    """The ids [R, T] that are chosen by the scores [R, T, V], with one wait for the device."""
    if _take_the_best(answers):
        chosen = best(logits)
    else:
        chosen = torch.cat([answer.choose(row, answer.tally.ids) for answer, row in zip(answers, logits, strict=True)])
    return chosen.tolist()


def _take_the_best(answers: Sequence[Answering[Kind]]) -> bool:
    """Whether the highest scores are chosen, whatever was said before."""
    return all(answer.choose.takes_the_best for answer in answers)
