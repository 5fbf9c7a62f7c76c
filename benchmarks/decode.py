"""Host time per generated token on a checkpoint so small that arithmetic hardly counts: one thread, float32, CPU.

Promise: at most 0.35 of transformers' `generate` at 2 layers. Both generate the same greedy tokens; what a prompt costs
is taken off by also timing a run of one token.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from checkpoints import write
from timing import alternate
from transformers import LlavaNextForConditionalGeneration

import llavacli_core as core

TOKENS = 200
MESSAGES = [core.Message("user", "Tell me everything there is to say.")]


def ours(engine: core.Engine, tokens: int) -> tuple[int, ...]:
    """Greedy ids from the engine: text, streaming and stop strings included."""
    *_, done = engine.generate(MESSAGES, core.Sampling(max_tokens=tokens))
    return done.token_ids


def theirs(model: LlavaNextForConditionalGeneration, prompt: torch.Tensor, tokens: int) -> tuple[int, ...]:
    """Greedy ids from transformers."""
    output = model.generate(input_ids=prompt, max_new_tokens=tokens, do_sample=False, pad_token_id=0)
    return tuple(output[0, prompt.shape[1] :].tolist())


def compare(size: str, repeats: int) -> float:
    """Print both times per token at a size; their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), size)
        engine = core.load(folder, device="cpu", dtype="float32")
        model = LlavaNextForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
        prompt = torch.tensor([engine.processor.prepare(MESSAGES).token_ids])
        if ours(engine, TOKENS) != theirs(model, prompt, TOKENS):
            raise SystemExit("the two do not generate the same tokens")
        runs: dict[str, Callable[[], object]] = {
            "ours": lambda: ours(engine, TOKENS),
            "ours, 1": lambda: ours(engine, 1),
            "theirs": lambda: theirs(model, prompt, TOKENS),
            "theirs, 1": lambda: theirs(model, prompt, 1),
        }
        seconds = alternate(runs, repeats)
    mine, reference = ((seconds[name] - seconds[f"{name}, 1"]) / (TOKENS - 1) * 1e3 for name in ("ours", "theirs"))
    print(f"{size:>10}: llavacli {mine:.3f} ms a token, transformers {reference:.3f} ms, ratio {mine / reference:.3f}")
    return mine / reference


def main() -> None:
    """Measure the sizes asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", nargs="*", default=["2-layers", "24-layers"])
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for size in arguments.size:
        compare(size, arguments.repeats)


if __name__ == "__main__":
    main()
