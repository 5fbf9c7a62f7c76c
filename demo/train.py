"""Train the demo checkpoint from nothing: `python -m demo.train FOLDER`. About an hour on two CPU cores.

Stage A teaches the tower alone what its patches show; B adds the decoder, which sees only the overview; C everything,
tiles included. The recipe is by time: a slower machine sees fewer pictures.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from tokenizers import Tokenizer
from torch import Tensor
from torch.multiprocessing.spawn import spawn

from demo.architecture import config
from demo.hub_folder import load_weights, write
from demo.lessons import Lesson, Teacher
from demo.network import Student, cosine, optimisers
from demo.pictures import IGNORED, SCENES, Batch, batch
from demo.tokenizer import build
from llavacli_core.families.readers import llava_next

HELD_OUT = 1_000_000  # seeds from here on are never trained on


@dataclass(frozen=True)
class Stage:
    """One part of the training: what it sees, how it is weighed, and its learning rates (Muon's, AdamW's)."""

    name: str
    tiles: str  # "one" or "all", as Teacher.lesson takes it
    words: bool
    patches: float  # the weight of the patches' loss
    rates: tuple[float, float]
    warmup: int  # steps
    floor: float  # share of the rate left at the end


STAGES = (
    Stage("A", "one", words=False, patches=1.0, rates=(0.02, 2e-3), warmup=100, floor=0.30),
    Stage("B", "one", words=True, patches=0.5, rates=(0.02, 2e-3), warmup=100, floor=0.15),
    Stage("C", "all", words=True, patches=0.4, rates=(0.012, 1.2e-3), warmup=40, floor=0.03),
)


@dataclass(frozen=True)
class Plan:
    """What the command line settled."""

    folder: Path
    minutes: tuple[float, float, float]
    start: Path | None
    workers: int
    seed: int
    batches: int
    compile: bool
    rate: float


class Worker:
    """One process of the training: its share of every batch, and a copy of the network, equal to the others'."""

    def __init__(self, rank: int, plan: Plan) -> None:
        self.rank, self.plan = rank, plan
        self.tokenizer = build() if plan.start is None else Tokenizer.from_file(str(plan.start / "tokenizer.json"))
        self.teacher = Teacher(self.tokenizer)
        self.rng = np.random.default_rng((plan.seed, rank))
        self.order = np.random.default_rng(plan.seed)  # the same in every worker
        torch.manual_seed(plan.seed)
        self.student = Student(llava_next(config(self.tokenizer.get_vocab_size())))
        if plan.start is not None:
            load_weights(plan.start, self.student)
        if plan.compile:
            self.student.compile_layers()
        self.optimisers = optimisers(self.student)
        self.known: dict[int, Batch] = {}
        self.began = self.saved = time.monotonic()

    def pictures(self, seed: int) -> Batch:
        """A batch, drawn when it is first asked for."""
        if seed not in self.known:
            self.known[seed] = batch(self.plan.seed * 10_000 + seed, self.rank, SCENES // self.plan.workers)
        return self.known[seed]

    def train(self, stage: Stage, minutes: float) -> None:
        """One stage, for so many minutes."""
        begin, step, losses = time.monotonic(), 0, [0.0, 0.0]
        progress = 0.0
        while progress < 1:
            warm = min(1.0, (step + 1) / stage.warmup)
            for optimiser, rate in zip(self.optimisers, stage.rates, strict=True):
                for group in optimiser.param_groups:
                    group["lr"] = self.plan.rate * rate * warm * cosine(progress, stage.floor)
            seed = int(self.order.integers(self.plan.batches)) if step % 2 else self._fresh()
            lesson = self.teacher.lesson(self.pictures(seed), self.rng, tiles=stage.tiles)
            losses = [0.95 * old + 0.05 * new for old, new in zip(losses, self.step(stage, lesson), strict=True)]
            step += 1
            progress = self._agreed((time.monotonic() - begin) / (60 * minutes))
            if step in (1, 5, 20) or step % 100 == 0:
                self.tell(f"{stage.name} step {step} {step * SCENES / (time.monotonic() - begin):.0f} pictures/s "
                          f"patches {losses[0]:.3f} words {losses[1]:.4f}")  # fmt: skip
            if stage.words and self._agreed((time.monotonic() - self.saved) / 240) >= 1:
                self.report(stage)
        self.report(stage)

    def _fresh(self) -> int:
        """The next batch never seen, while there is room; then any."""
        return len(self.known) if len(self.known) < self.plan.batches else int(self.order.integers(self.plan.batches))

    def step(self, stage: Stage, lesson: Lesson) -> tuple[float, float]:
        """One update; gives back the losses of the patches and of the words."""
        with torch.autocast("cpu", torch.bfloat16):
            if stage.words:
                patches, words = self.student.read(
                    lesson.tiles, lesson.targets, lesson.layout, lesson.prefix, lesson.text, lesson.labels
                )
            else:
                patches, words = self.student.look(lesson.tiles, lesson.targets), torch.zeros(())
        (stage.patches * patches + words).backward()  # type: ignore[no-untyped-call]
        self._share_gradients()
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad()
        return patches.item(), words.item()

    def _share_gradients(self) -> None:
        """Average the gradients over all workers."""
        if self.plan.workers == 1:
            return
        gradients = [parameter.grad for parameter in self.student.parameters() if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        flat /= self.plan.workers
        for gradient, part in zip(gradients, torch.split(flat, [each.numel() for each in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def _agreed(self, value: float) -> float:
        """The first worker's value, so that all stop at the same step."""
        if self.plan.workers == 1:
            return value
        shared = torch.tensor(value, dtype=torch.float64)
        dist.broadcast(shared, 0)
        return shared.item()

    def report(self, stage: Stage) -> None:
        """Whole answers right on held-out scenes, teacher-forced, by kind of question; and a snapshot of the folder."""
        right, asked = Counter[str](), Counter[str]()
        for seed in range(HELD_OUT, HELD_OUT + 6 * stage.words):
            lesson = self.teacher.lesson(self.pictures(seed), np.random.default_rng(seed), tiles=stage.tiles)
            for kind, correct in self._graded(lesson):
                asked[kind] += 1
                right[kind] += correct
        shares = (f"{kind} {100 * right[kind] / asked[kind]:.1f}" for kind in sorted(asked))
        self.tell(f"{stage.name} {' '.join(shares)}")
        for seed in range(HELD_OUT, HELD_OUT + 6):
            self.known.pop(seed, None)
        if self.rank == 0 and stage.words:
            write(self.plan.folder, self.student, self.tokenizer)
        self.saved = time.monotonic()

    @torch.no_grad()
    def _graded(self, lesson: Lesson) -> list[tuple[str, bool]]:
        """For each complete answer of the lesson, its kind of question and whether every token was foretold."""
        with torch.autocast("cpu", torch.bfloat16):
            states = self.student.tower(lesson.tiles.flatten(0, 1))
            logits = self.student.answer(states, len(lesson.tiles), lesson.layout, lesson.prefix, lesson.text)
        wrong = (logits.argmax(-1) != lesson.labels) & (lesson.labels != IGNORED)
        marks = []
        for turns, labels, misses in zip(lesson.turns, lesson.labels, wrong, strict=True):
            answers = _numbered(labels)
            marks += [(turn[0], not bool(misses[answers == index].any())) for index, turn in enumerate(turns)]
        return marks

    def tell(self, line: str) -> None:
        """Print a line of the learning curve, from the first worker."""
        if self.rank == 0:
            print(f"{(time.monotonic() - self.began) / 60:6.2f} min  {line}", flush=True)


def _numbered(labels: Tensor) -> Tensor:
    """Which answer, from 0, each labelled position belongs to; -1 for the others."""
    labelled = labels != IGNORED
    starts = labelled & ~torch.cat((torch.tensor([False]), labelled[:-1]))
    return torch.where(labelled, starts.cumsum(0) - 1, -1)


def work(rank: int, plan: Plan) -> None:
    """What each process runs. Workers of one thread each meet once a step, which a shared machine forgives."""
    torch.set_num_threads(max(1, 2 // plan.workers))
    if plan.workers > 1:
        dist.init_process_group("gloo", rank=rank, world_size=plan.workers)
    worker = Worker(rank, plan)
    for stage, minutes in zip(STAGES, plan.minutes, strict=True):
        if minutes > 0:
            worker.train(stage, minutes)
    if plan.workers > 1:
        dist.destroy_process_group()


def main() -> None:
    """Read the command line and start the workers."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the checkpoint is written")
    parser.add_argument("--minutes", type=float, nargs=3, default=(3, 12, 40), metavar=("A", "B", "C"))
    parser.add_argument("--start", type=Path, help="a checkpoint folder to continue from")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batches", type=int, default=1600, help="different batches drawn, of 32 pictures each")
    parser.add_argument("--rate", type=float, default=1.0, help="share of the stages' learning rates, to continue with")
    parser.add_argument("--compile", action="store_true", help="compile the layers; pays after a few minutes")
    given = parser.parse_args()
    plan = Plan(**{**vars(given), "minutes": tuple(given.minutes)})
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", "29531")
    if plan.workers == 1:
        work(0, plan)
    else:
        spawn(work, (plan,), plan.workers)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
