"""Loading a checkpoint of about 1 GB: peak memory beyond what the process had before, and seconds.

Promise: the peak stays under 1.15 x the weights. Each run is a process of its own; every weight is touched at the end,
so that pages still on disk are counted too. Peaks are of resident memory, mapped files included.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

LOADERS = {
    "llavacli": """
import llavacli_core as core, torch, llavacli_core.checkpoint.load
before = resident(); started = time.perf_counter()
network = core.load(folder, device="cpu", dtype=dtype).network
""",
    "transformers": """
import torch
from transformers import LlavaNextForConditionalGeneration
before = resident(); started = time.perf_counter()
network = LlavaNextForConditionalGeneration.from_pretrained(folder, dtype=getattr(torch, dtype))
""",
}
FRAME = """
import sys, time
folder, dtype = sys.argv[1:]
def resident(line="VmRSS"):
    return next(int(row.split()[1]) * 1024 for row in open("/proc/self/status") if row.startswith(line))
{loader}
seconds = time.perf_counter() - started
size = sum(parameter.nbytes for parameter in network.parameters())
for parameter in network.parameters():
    parameter.view(torch.int16 if parameter.itemsize == 2 else torch.int32).flatten()[::1024].sum()
print(resident("VmHWM") - before, size, seconds)
"""


def measure(loader: str, folder: str, dtype: str) -> tuple[float, float]:
    """Peak over size, and seconds, of one load in a process of its own."""
    code = FRAME.format(loader=LOADERS[loader])
    output = subprocess.run([sys.executable, "-c", code, folder, dtype], check=True, capture_output=True, text=True)
    peak, size, seconds = map(float, output.stdout.split()[-3:])
    return peak / size, seconds


def main() -> None:
    """Write the checkpoint, then load it by turns."""
    import torch
    from checkpoints import write

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="0.5b")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        size = write(Path(folder), arguments.size, torch.bfloat16)
        print(f"{size / 1e9:.2f} GB of weights, stored in bfloat16")
        for dtype in ("bfloat16", "float32"):
            for loader in LOADERS:
                runs = [measure(loader, folder, dtype) for _ in range(arguments.repeats)]
                peak, seconds = (statistics.median(values) for values in zip(*runs, strict=True))
                print(f"to {dtype:>8}: {loader:>12} peak {peak:.2f} x the weights, {seconds:.2f} s")


if __name__ == "__main__":
    main()
