"""Weights in 8 and 4 bits: how fast, how near to full precision, and how little memory loading takes.

By default: one decoder layer's products for one row, at the 0.5b's shapes and at those of `--layer`, against
bitsandbytes and no quantization, in the format that `--dtype auto` takes here; and the embedded demo at each
quantization, its next tokens along the full-precision answers, and its accuracy on `--scenes` scenes of each of its own
two tests. `--size 0.5b` adds a whole network of random weights: loading's peak, each load in a process of its own, its
next tokens along full-precision answers, and the time of a token.

Promises on a CPU, of a layer at the 7b's shapes: 4bit at least 15 times as fast as bitsandbytes'; 8bit 5 times, and in
bfloat16 50 times its `Linear8bitLt` as that is made. Loading's peak is at most 1.2 x what is held, and the demo at most
3 points below full precision. As it is made a layer of theirs is in training, and dequantizes; after `eval()`, as
networks run it, it multiplies whole numbers. Where AMX does that, it is nearly as fast as memory, so that nothing is
promised there.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import torch
from checkpoints import DECODERS, write
from report import Report, parser
from timing import rounds, timed
from torch import Tensor

import llavacli_core as core
from demo.conversations import WEIGHTS, turn
from demo.drawing import draw
from demo.evaluate import UNSEEN, other_marks, own_marks
from demo.scenes import canvas, scene
from llavacli_core.checkpoint.host import computes_bfloat16
from llavacli_core.nn.bnb import Bnb8bit
from llavacli_core.nn.product import has_amx
from llavacli_core.nn.settling import TOKENS
from llavacli_core.portions import FIRST_WORDS

QUANTS = ("8bit", "4bit", "bnb-8bit", "bnb-4bit")
TIMES = {"8bit": 5, "4bit": 15}
TIMES_AS_MADE = 50
RUNS = 5
PEAK, POINTS = 1.2, 3  # one matrix that is converted lies in memory twice
PROMPTS = 24
LOAD = """
import sys
import torch
from llavacli_core import load
if sys.argv[2].startswith("bnb"):
    import bitsandbytes
def resident(line="VmRSS"):
    return next(int(row.split()[1]) * 1024 for row in open("/proc/self/status") if row.startswith(line))
before = resident()
network = load(sys.argv[1], device="cpu", quantize=sys.argv[2]).network
tensors = [*network.parameters(), *network.buffers()]
for tensor in tensors:
    tensor.flatten().view(torch.uint8)[::4096].sum()
print(resident("VmHWM") - before, sum(tensor.nbytes for tensor in tensors))
"""


def main() -> int:
    """Products and the demo; then the networks asked for."""
    flags = parser(__doc__, repeats=5)
    flags.add_argument("--size", nargs="*", default=[], help="networks of random weights, e.g. 0.5b")
    flags.add_argument("--layer", nargs="*", default=[], choices=DECODERS, help="more shapes of a layer, e.g. 7b")
    flags.add_argument(
        "--scenes", type=int, default=2, help="of each test of the demo's accuracy (default 2; 0: the demo is left out)"
    )
    arguments = flags.parse_args()
    report = Report()
    with torch.inference_mode():
        for size in ("0.5b", *arguments.layer):
            products(report, size, arguments.repeats)
    if arguments.scenes:
        demo(report, arguments.scenes)
    for size in arguments.size:
        network(report, size, arguments.repeats)
    return report.exit_code


def products(report: Report, size: str, repeats: int) -> None:
    """A layer's four products for one row, at each quantization."""
    hidden, mlp, _, _, _, _ = DECODERS[size]
    shapes = ((3 * hidden, hidden), (hidden, hidden), (2 * mlp, hidden), (hidden, mlp))
    dtype = torch.bfloat16 if computes_bfloat16() else torch.float32
    layers = {quant: [layer(out, inputs, quant, dtype) for out, inputs in shapes] for quant in ("none", *QUANTS)}
    rows = {inputs: torch.randn(inputs, dtype=dtype) for _, inputs in shapes}
    made = [as_made(each) for each in layers["bnb-8bit"]]

    def run(quant: str) -> Callable[[], object]:
        return lambda: [each.row(rows[inputs]) for each, (_, inputs) in zip(layers[quant], shapes, strict=True)]

    runs = {quant: run(quant) for quant in layers}
    runs["as made"] = lambda: [each(rows[inputs][None]) for each, (_, inputs) in zip(made, shapes, strict=True)]
    seconds = {name: statistics.median(each) for name, each in rounds(runs, repeats, in_a_row).items()}
    promised = size == "7b"  # in smaller matrices calls weigh more
    for quant, times in TIMES.items():
        least = None if not promised or (quant == "8bit" and has_amx(torch.bfloat16)) else times
        what = f"{size}, a layer's products, one row: {quant}"
        report.figure(what, seconds[quant], seconds[f"bnb-{quant}"], at_least=least, against="bitsandbytes")
        report.figure(what, seconds[quant], seconds["none"], against=str(dtype).removeprefix("torch."))
    least = TIMES_AS_MADE if promised and dtype == torch.bfloat16 else None
    what = f"{size}, a layer's products, one row: 8bit"
    report.figure(what, seconds["8bit"], seconds["as made"], at_least=least, against="bitsandbytes as made")


def in_a_row(run: Callable[[], object]) -> float:
    """Seconds of one of several runs, as layers of a network follow one another; one before lets threads come."""
    run()
    return timed(lambda: [run() for _ in range(RUNS)]) / RUNS


def as_made(quantized: Bnb8bit) -> torch.nn.Module:
    """bitsandbytes' own module around the same codes, in training, as every module is when it is made."""
    from bitsandbytes.nn import Int8Params, Linear8bitLt

    out, inputs = quantized.codes.shape
    module: torch.nn.Module = Linear8bitLt(
        inputs, out, bias=False, has_fp16_weights=False, threshold=quantized.threshold, device="meta"
    )
    module.weight = Int8Params(
        quantized.codes, requires_grad=False, has_fp16_weights=False, CB=quantized.codes, SCB=quantized.scale
    )
    return module


def layer(out: int, inputs: int, quant: str, dtype: torch.dtype) -> torch.nn.Module:
    """A linear layer of random weights, quantized as loading does it."""
    from safetensors.torch import save_file

    from llavacli_core.checkpoint.quantize import quantized
    from llavacli_core.checkpoint.reader import Reader, copied
    from llavacli_core.checkpoint.stored import stored_tensors
    from llavacli_core.nn.linear import Linear
    from llavacli_core.schemes import scheme_for

    with tempfile.TemporaryDirectory() as folder, torch.device("meta"):
        made = Linear(inputs, out, bias=False)
        weight = torch.randn(out, inputs, device="cpu") / inputs**0.5
        save_file({"weight": weight}, Path(folder) / "model.safetensors")
        sources, reader, scheme = stored_tensors(Path(folder)), Reader(), scheme_for(quant, "cpu")
        with torch.device("cpu"):
            if scheme is not None:
                return quantized(made, sources, reader, torch.device("cpu"), dtype, scheme)
            value = copied(made.weight, sources, reader, torch.device("cpu"), dtype)
        made.weight = torch.nn.Parameter(value, requires_grad=False)
        return made


def demo(report: Report, scenes: int) -> None:
    """The demo's distributions along its full-precision answers, and how often it is right."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the matrices are small: threads would wait for each other
    full = core.load("demo", device="cpu")
    asked = list(islice(questions(), PROMPTS))
    expected = Expected(full, asked, 96)
    right = accuracy(full, scenes)
    report.figure(f"demo: right answers on {scenes} scenes of each test, none", right, unit="%")
    for quant in QUANTS:
        engine = core.load("demo", device="cpu", quantize=quant)
        expected.compare(report, engine, f"demo: {{}}, {quant}")
        below = right - accuracy(engine, scenes)
        report.figure(f"demo: points below full precision, {quant}", below, unit="points", at_most=POINTS)
    torch.set_num_threads(threads)


def questions() -> Iterator[core.Message]:
    """Questions about unseen scenes, of every kind in turn."""
    import numpy as np

    kinds = ("describe", *WEIGHTS)
    for number in range(10**6):
        rng = np.random.default_rng(UNSEEN - 1 - number)
        drawn = scene(*canvas(rng), rng)
        _, question, _ = turn(drawn, kinds[number % len(kinds)], rng)
        yield core.Message("user", [core.Image(draw(drawn)), question])


class Expected:
    """What a network says at full precision, and the distribution behind each of its tokens."""

    def __init__(self, full: core.Engine, asked: Sequence[core.Message], tokens: int) -> None:
        """Greedy answers of so many tokens at most."""
        self.asked = asked
        self.answers = [said(full, message, tokens) for message in asked]
        self.scores = self.scores_of(full)

    def compare(self, report: Report, engine: core.Engine, what: str) -> None:
        """How often another engine would say the same next, and how far its distributions are from these."""
        found = self.scores_of(engine)
        agreed = 100 * float((self.scores.argmax(-1) == found.argmax(-1)).float().mean())
        divergence = float((self.scores.exp() * (self.scores - found)).sum(-1).mean())
        report.figure(what.format("next tokens that agree"), agreed, unit="%")
        report.figure(what.format("mean KL of next tokens"), 1e6 * divergence, unit="millionths")

    def scores_of(self, engine: core.Engine) -> Tensor:
        """An engine's distributions along the answers, [tokens, vocabulary]."""
        return torch.cat([scores(engine, *each) for each in zip(self.asked, self.answers, strict=True)])


def said(engine: core.Engine, message: core.Message, tokens: int) -> tuple[int, ...]:
    """The ids of a greedy answer."""
    *_, done = engine.generate([message], core.Sampling(max_tokens=tokens))
    assert isinstance(done, core.Done)
    return done.token_ids


def scores(engine: core.Engine, message: core.Message, ids: tuple[int, ...]) -> Tensor:
    """Logarithms of the probabilities of every id of an answer, [ids, vocabulary]."""
    logits = engine.forward([message], ids).logits
    return logits.reshape(-1, logits.shape[-1])[-len(ids) - 1 : -1].float().log_softmax(-1)


def accuracy(engine: core.Engine, scenes: int) -> float:
    """Right answers in a hundred, on the training drawer's unseen scenes and on another program's drawings."""
    marks = [right for _, right, _ in (*own_marks(engine, scenes, twins=False), *other_marks(engine, scenes))]
    return 100 * sum(marks) / len(marks)


def network(report: Report, size: str, repeats: int) -> None:
    """Loading, agreement and decoding of a network of random weights."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), size, torch.bfloat16)
        peaks = {quant: peak(folder, quant) for quant in ("none", *QUANTS)}
        for quant, (most, held) in peaks.items():
            report.figure(
                f"{size}: loading's peak over {held / 1e6:.0f} MB, {quant}", most / held, unit="x", at_most=PEAK
            )
        engines = {quant: core.load(folder, device="cpu", quantize=quant) for quant in ("none", *QUANTS)}
        expected = Expected(engines["none"], [core.Message("user", [word * 32]) for word in "abcdefgh"], 32)
        for quant in QUANTS:
            expected.compare(report, engines[quant], f"{size}: {{}}, {quant}")
        seconds = {
            quant: statistics.median(each)
            for quant, each in rounds(engines, max(1, repeats // 2), seconds_a_token).items()
        }
        for quant in TIMES:
            report.figure(f"{size}: a token, {quant}", seconds[quant], seconds[f"bnb-{quant}"], against="bitsandbytes")
            report.figure(f"{size}: a token, {quant}", seconds[quant], seconds["none"], against="none")


def peak(folder: str, quant: str) -> tuple[int, int]:
    """Most resident bytes while a process of its own loads, and the bytes that it then holds."""
    run = subprocess.run([sys.executable, "-c", LOAD, folder, quant], check=True, capture_output=True, text=True)
    most, held = map(int, run.stdout.split()[-2:])
    return most, held


def seconds_a_token(engine: core.Engine) -> float:
    """Of a short answer to a short prompt, the first token left out; one answer lets weights settle."""
    *_, done = engine.generate([core.Message("user", ["a" * 32])], core.Sampling(max_tokens=FIRST_WORDS + TOKENS))
    assert isinstance(done, core.Done)
    return done.timing.decode / 1e3 / (len(done.token_ids) - 1)


if __name__ == "__main__":
    sys.exit(main())
