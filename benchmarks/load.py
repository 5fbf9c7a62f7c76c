"""Loading a checkpoint kept in bfloat16, as it is and to float32: peak memory over the weights, and seconds.

Promise: the peak stays under 1.15 x the weights, and it takes no longer than transformers. Each run is a process of its
own; every weight is touched at the end, so that pages still on disk are counted too. Peaks are of resident memory,
mapped files included.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from report import Report, parser
from timing import rounds

PEAK = 1.15
TINY = ("2-layers", "24-layers")  # what a process itself takes and gives back is many times the weights: no promise

LOADERS = {"llavacli": "llavacli_core", "transformers": "transformers"}
FRAME = """
import sys, time
import torch
from {module} import LlavaNextForConditionalGeneration
folder, dtype = sys.argv[1:]
def resident(line="VmRSS"):
    return next(int(row.split()[1]) * 1024 for row in open("/proc/self/status") if row.startswith(line))
before = resident(); started = time.perf_counter()
network = LlavaNextForConditionalGeneration.from_pretrained(folder, dtype=getattr(torch, dtype))
seconds = time.perf_counter() - started
size = sum(parameter.nbytes for parameter in network.parameters())
for parameter in network.parameters():
    parameter.view(torch.int16 if parameter.itemsize == 2 else torch.int32).flatten()[::1024].sum()
print(resident("VmHWM") - before, size, seconds)
"""


def measure(loader: str, folder: str, dtype: str) -> tuple[float, float]:
    """Peak over size, and seconds, of one load in a process of its own."""
    code = FRAME.format(module=LOADERS[loader])
    output = subprocess.run([sys.executable, "-c", code, folder, dtype], check=True, capture_output=True, text=True)
    peak, size, seconds = map(float, output.stdout.split()[-3:])
    return peak / size, seconds


def compare(report: Report, size: str, repeats: int) -> None:
    """Write a checkpoint, then load it by turns."""
    import torch
    from checkpoints import write

    with tempfile.TemporaryDirectory() as folder:
        stored = write(Path(folder), size, torch.bfloat16) / 1e9
        for dtype in ("float32",) if size in TINY else ("bfloat16", "float32"):
            runs = rounds({each: each for each in LOADERS}, repeats, lambda each: measure(each, folder, dtype))  # noqa: B023
            medians = {
                name: [statistics.median(values) for values in zip(*run, strict=True)] for name, run in runs.items()
            }
            (peak, seconds), (their_peak, their_seconds) = medians["llavacli"], medians["transformers"]
            what = f"{size} ({stored:.2f} GB) to {dtype}"
            promised = size not in TINY
            report.figure(f"{what}: peak over the weights", peak, their_peak, unit="x", at_most=PEAK, promised=promised)
            report.figure(f"{what}: time", seconds, their_seconds, at_least=1.0, promised=promised)


def main() -> int:
    """Measure the sizes asked for."""
    arguments = parser(__doc__, repeats=2, sizes=("2-layers",)).parse_args()
    report = Report()
    for size in arguments.size:
        compare(report, size, arguments.repeats)
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
