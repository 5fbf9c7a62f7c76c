"""From a batch of pictures to what the network is trained on: questions and answers as ids, and their labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from tokenizers import Tokenizer
from torch import Tensor

from demo.architecture import PATCH, TILE
from demo.conversations import Turn, conversation
from demo.pictures import IGNORED, Batch, layout, patch_targets
from demo.tokenizer import BOS, PAD, segments

LONGEST = 144  # text tokens of a conversation; the few longer ones lose their end
STEP = 16  # lengths are padded to multiples, so that few shapes are compiled
SIDE = TILE // PATCH


@dataclass(frozen=True)
class Lesson:
    """One batch for `Student.read`."""

    tiles: Tensor
    targets: Tensor
    layout: Tensor
    prefix: Tensor
    text: Tensor
    labels: Tensor
    turns: list[list[Turn]]


class Teacher:
    """Turns batches into lessons; remembers how texts encode, since few different ones exist."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.known: dict[str, list[int]] = {}
        self.prefix = [BOS, *self.encode("USER: ")]

    def encode(self, text: str) -> list[int]:
        """Ids of a piece of prompt; pieces meet where the tokenizer splits anyway."""
        if text not in self.known:
            self.known[text] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return self.known[text]

    def lesson(self, pictures: Batch, rng: Generator, *, tiles: str, questions: int = 5) -> Lesson:
        """`tiles`: "all", or "one": the overview and one more, and of their tokens only the overview's."""
        turns = [conversation(scene, questions, rng) for scene in pictures.scenes]
        text, labels = self._text(turns)
        whole = tiles == "all"
        chosen = slice(None) if whole else [0, int(rng.integers(1, pictures.grid.tiles))]
        places = layout(pictures.grid, SIDE) if whole else np.arange(SIDE * SIDE)
        places = np.where(places < 0, pictures.grid.tiles * SIDE * SIDE, places)
        return Lesson(
            tiles=torch.from_numpy(pictures.tiles[:, chosen]),
            targets=torch.from_numpy(patch_targets(pictures)[:, chosen]),
            layout=torch.from_numpy(places),
            prefix=torch.tensor(self.prefix).expand(len(turns), -1),
            text=text,
            labels=labels,
            turns=turns,
        )

    def _text(self, conversations: list[list[Turn]]) -> tuple[Tensor, Tensor]:
        """Ids and labels, [B, T] each; only answers, with the token that ends them, are labelled."""
        rows = []
        for turns in conversations:
            ids: list[int] = []
            labels: list[int] = []
            for asked, answered in zip(*segments(turns), strict=True):
                question, answer = self.encode(asked), self.encode(answered)
                ids += question + answer
                labels += [IGNORED] * len(question) + answer
            rows.append((ids[:LONGEST], labels[:LONGEST]))
        length = -(-max(len(ids) for ids, _ in rows) // STEP) * STEP
        text = [ids + [PAD] * (length - len(ids)) for ids, _ in rows]
        learnt = [marks + [IGNORED] * (length - len(marks)) for _, marks in rows]
        return torch.tensor(text), torch.tensor(learnt)
