"""How long `llavacli --help` and its kin take, as processes: at most 150 ms is the promise for the first four.

Run it on a quiet machine: python benchmarks/startup.py [ROUNDS]. Median and best are by the clock; on a busy machine
the processor time tells more.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from importlib.util import find_spec

LIMIT_MS = 150
PROMISED = {
    "llavacli --help": ("-m", "llavacli", "--help"),
    "llavacli --version": ("-m", "llavacli", "--version"),
    "llavacli describe --help": ("-m", "llavacli", "describe", "--help"),
    "llavacli describe --modle x": ("-m", "llavacli", "describe", "--modle", "x"),
}
COMPARED = {
    "llavacli describe nope.png": ("-m", "llavacli", "describe", "nope.png"),
    "python -c pass": ("-c", "pass"),
    "python -c 'import typer'": ("-c", "import typer"),
    "python -c 'import torch'": ("-c", "import torch"),
    "python -c 'import transformers'": ("-c", "import transformers"),
}


def measure(args: tuple[str, ...]) -> tuple[float, float]:
    """One process from start to end: milliseconds by the clock, and of processor time."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, used = os.wait4(process.pid, 0)
    return (time.perf_counter() - started) * 1e3, (used.ru_utime + used.ru_stime) * 1e3


def main() -> int:
    """Print the table; fail when a promise is not kept."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH")]))
    print(f"{'':34}{'median':>10}{'best':>10}{'CPU':>10}")
    kept = True
    for name, args in (PROMISED | COMPARED).items():
        if "import" in name and find_spec(args[-1].split()[-1]) is None:
            continue
        measure(args)  # warms the file cache
        clock, processor = zip(*(measure(args) for _ in range(rounds)), strict=True)
        median = statistics.median(clock)
        kept &= name not in PROMISED or median <= LIMIT_MS
        print(f"{name:34}{median:7.0f} ms{min(clock):7.0f} ms{statistics.median(processor):7.0f} ms")
    print(f"at most {LIMIT_MS} ms: {'kept' if kept else 'NOT kept'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
