"""`generate`: prompts prefilled one by one, then answered together, or each by a beam search.

B batch  W width of the prompts, padding included  V vocabulary
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from llavacli_core.documented.configs.generation import GenerationConfig
from llavacli_core.documented.models.asking import ids_of, resolve, seeded, settled_by
from llavacli_core.documented.models.outputs import GenerateOutput
from llavacli_core.engine.beams import NEVER, Beam, search
from llavacli_core.engine.sampling import Chooser
from llavacli_core.engine.settled import Settled
from llavacli_core.engine.together import Answering, Together
from llavacli_core.engine.transcript import Tally
from llavacli_core.nn.rows import Rows

NONE = Beam((), NEVER, finished=False)


@dataclass(frozen=True)
class Prefilled:
    """A prompt that went through the network: its ids, its row, the scores [1, V] of the first new token."""

    ids: tuple[int, ...]
    rows: Rows
    logits: Tensor


@dataclass(frozen=True)
class Prompts:
    """A batch of prompts: as they are given back [B, W], and as the network has them."""

    ids: Tensor
    prefilled: list[Prefilled]


class GenerationMixin:
    """A model that answers."""

    network: Any
    generation_config: GenerationConfig

    @abstractmethod
    def prefill(self, inputs: dict[str, Any], asked: GenerationConfig) -> Prompts:
        """The prompts of a call through the network."""

    @property
    @abstractmethod
    def positions(self) -> int | None:
        """How many positions there are; None where there is no end of them."""

    @torch.no_grad()
    def generate(
        self, inputs: Tensor | None = None, generation_config: GenerationConfig | None = None, **kwargs: Any
    ) -> Tensor | GenerateOutput:
        """Ids [B, W + new], the prompts' included, padded on the right; keywords are inputs and generation parameters.

        Draws follow torch.manual_seed. With `return_dict_in_generate` an output with `sequences`, and for beams
        `sequences_scores`.
        """
        asked, given = resolve(self.generation_config, generation_config, kwargs)
        if inputs is not None:
            given[self.main_input_name] = inputs  # type: ignore[attr-defined]
        self.network.decoder.__dict__.pop("step", None)  # made of weights that may have been trained or moved since
        words = given.get("inputs_embeds")
        prompts = self.prefill(given, asked)
        embedded = 0 if words is None or prompts.ids.shape[1] else words.shape[1]
        settled = settled_by(asked, prompts.ids.shape[1], embedded, self.positions)
        count = asked.num_return_sequences
        scores = None
        if settled.sampling.beams > 1:
            found = [
                search(self.network, each.rows, each.logits, seeded(settled), each.ids)[:count]
                for each in prompts.prefilled
            ]
            found = [beams + [NONE] * (count - len(beams)) for beams in found]  # where fewer have ended
            new: list[Sequence[int]] = [beam.ids for beams in found for beam in beams]
            scores = torch.tensor([beam.score for beams in found for beam in beams])
        else:
            new = answer_together(self.network, prompts.prefilled, settled, count)
        padding = (*ids_of(asked.pad_token_id), *settled.stop_ids, 0)[0]
        sequences = appended(prompts.ids.repeat_interleave(count, 0), new, padding)
        return GenerateOutput(sequences, scores) if asked.return_dict_in_generate else sequences


def answer_together(network: Any, prompts: Sequence[Prefilled], settled: Settled, count: int) -> list[Sequence[int]]:
    """The new ids of `count` answers to each prompt."""
    together: Together[Tally] = Together(network)
    tallies = []
    for prompt in prompts:
        choosers = [Chooser(seeded(settled), prompt.ids, prompt.logits) for _ in range(count)]
        answers = [Answering(choose, Tally(settled)) for choose in choosers]
        if count > 1:
            prompt.rows.select([0] * count)
        tallies += [answer.tally for answer in answers]
        together.join(prompt.rows, prompt.logits.expand(count, -1), answers)
    while together.answers:
        together.step()
    return [tally.ids for tally in tallies]


def appended(prompts: Tensor, new: Sequence[Sequence[int]], padding: int) -> Tensor:
    """Prompts [B, W] and each row's new ids -> [B, W + the most new ids], the rest padding."""
    longest = max(len(ids) for ids in new)
    rows = [[*ids, *[padding] * (longest - len(ids))] for ids in new]
    return torch.cat((prompts, torch.tensor(rows, dtype=prompts.dtype, device=prompts.device)), dim=1)
