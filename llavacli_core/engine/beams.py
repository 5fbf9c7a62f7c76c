"""Beam search: the `beams` likeliest continuations side by side. Scores, ties and endings as transformers' own.

K beams  V vocabulary
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from llavacli_core.engine.rules import Rules
from llavacli_core.engine.runner import Network
from llavacli_core.engine.sampling import generator_of, narrowed, penalise, seen_in
from llavacli_core.engine.settled import Settled
from llavacli_core.nn.rows import Rows

NEVER = -1e9  # the score of what must not be chosen; finite, so that it can be added


@dataclass(frozen=True)
class Beam:
    """A continuation: its new ids, and its score, normalised by its length once it is `finished`."""

    ids: tuple[int, ...]
    score: float
    finished: bool


class Search:
    """The beams that go on, and the best of those that have ended."""

    def __init__(self, settled: Settled, prompt_ids: Sequence[int], logits: Tensor) -> None:
        self.settled, self.prompt = settled, list(prompt_ids)
        self.rules = Rules(settled, prompt_ids)
        self.generator = generator_of(settled.sampling, logits.device)
        self.width = settled.sampling.beams
        # Enough candidates that as many as there are beams go on, even if every beam would rather end.
        self.each = max(2, 1 + len(settled.stop_ids))
        self.kept = self.each * self.width
        self.running = [Beam((), 0.0 if beam == 0 else NEVER, finished=False) for beam in range(self.width)]
        self.ended = [Beam((), NEVER, finished=False) for _ in range(self.width)]
        self.hopeful = True  # whether a running beam may still beat the worst that has ended
        self.over = False

    def advance(self, logits: Tensor) -> list[int]:
        """Scores [K, V] of the running beams -> which of them each next beam goes on from."""
        candidates, parents = self._candidates(logits)
        length = len(candidates[0].ids)
        stops = torch.tensor(
            [beam.ids[-1] in self.settled.stop_ids or length >= self.settled.limit for beam in candidates]
        )
        scores = torch.tensor([beam.score for beam in candidates])
        open_scores = scores + stops.float() * NEVER
        following = open_scores.topk(self.width).indices.tolist()
        self._finish(candidates, scores, stops, length)
        self.running = [Beam(candidates[place].ids, float(open_scores[place]), finished=False) for place in following]
        self._judge(length, all_stop=bool(stops.all()))
        return [parents[place] for place in following]

    def best(self) -> list[Beam]:
        """The beams that have ended, the best first; before any has, those that run."""
        ended = [beam for beam in self.ended if beam.finished]
        return ended or self.running

    def _candidates(self, logits: Tensor) -> tuple[list[Beam], list[int]]:
        """The best continuations of all beams, with the beams they come from."""
        said = [beam.ids for beam in self.running]
        scores = logits.float().log_softmax(-1)
        sampling = self.settled.sampling
        if self.settled.repetition_penalty != 1.0:
            seen = seen_in([self.prompt + list(ids) for ids in said], scores)
            scores = penalise(scores, seen, self.settled.repetition_penalty)
        if self.rules.bind:
            scores = self.rules(scores, said)
        if self.generator is not None:
            scores = narrowed(scores, sampling, at_least=self.each)
        before = torch.tensor([beam.score for beam in self.running], device=scores.device)
        total = (scores + before[:, None]).flatten()  # [K V]
        if self.generator is None:
            values, places = total.topk(self.kept)
        else:
            drawn = torch.multinomial(total.softmax(-1), self.kept, generator=self.generator)
            values, order = total[drawn].sort(descending=True)
            places = drawn[order]
        vocabulary = logits.shape[-1]
        parents = (places // vocabulary).tolist()
        ids = (places % vocabulary).tolist()
        beams = [
            Beam((*said[parent], token_id), score, finished=False)
            for parent, token_id, score in zip(parents, ids, values.tolist(), strict=True)
        ]
        return beams, parents

    def _finish(self, candidates: list[Beam], scores: Tensor, stops: Tensor, length: int) -> None:
        """Let the candidates that end now compete with those that have; only the first `width` may."""
        full = self.settled.early_stopping is True and all(beam.finished for beam in self.ended)
        closed = full * NEVER + (not self.hopeful) * NEVER
        eligible = stops & (torch.arange(len(candidates)) < self.width)
        final = scores / length**self.settled.length_penalty + closed + (~eligible).float() * NEVER
        merged = torch.cat((torch.tensor([beam.score for beam in self.ended]), final))
        pool = self.ended + [
            Beam(beam.ids, score, finished)
            for beam, score, finished in zip(candidates, final.tolist(), eligible.tolist(), strict=True)
        ]
        self.ended = [pool[place] for place in merged.topk(self.width).indices.tolist()]

    def _judge(self, length: int, *, all_stop: bool) -> None:
        """Whether to go on."""
        settled = self.settled
        longest = settled.early_stopping == "never" and settled.length_penalty > 0
        hypothetical = settled.limit if longest else length
        best = torch.tensor(self.running[0].score) / hypothetical**settled.length_penalty
        worst = min(beam.score for beam in self.ended)
        self.hopeful &= any(bool(best > (worst if beam.finished else NEVER)) for beam in self.ended)
        full = settled.early_stopping is True and all(beam.finished for beam in self.ended)
        self.over = not self.hopeful or full or all_stop


@torch.inference_mode()
def search(
    network: Network,
    rows: Rows,
    logits: Tensor,
    settled: Settled,
    prompt_ids: Sequence[int],
    stopped: Callable[[], bool] = lambda: False,
) -> list[Beam]:
    """The best continuations of one prefilled row and its scores [1, V], best first; fewer steps once `stopped`."""
    beams = Search(settled, prompt_ids, logits)
    since = rows.lengths[0]
    rows.select([0] * beams.width)
    beams.advance(logits.expand(beams.width, -1))
    while not beams.over and not stopped():
        tokens = torch.tensor([beam.ids[-1:] for beam in beams.running], device=logits.device)
        parents = beams.advance(network.step(tokens, rows)[:, -1])
        rows.reorder(parents, since)
    return beams.best()
