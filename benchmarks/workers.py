"""Pictures a second opened by worker processes and by threads: 12-megapixel JPEGs to AnyRes tiles, on all cores.

Promise: workers are at least 0.9 times as fast as as many threads, for what they are worth in safety.
"""

from __future__ import annotations

import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from prepare import NEXT, photo
from timing import alternate

from llavacli_core.engine.opening import Open, Opener
from llavacli_core.engine.workers import Workers
from llavacli_core.messages import Image

GOAL = 0.9
CASES = ((4000, 3000, 16), (640, 480, 160))  # width, height, pictures
REPEATS = 5

OPENER = Opener(checkpoint="benchmark", images=NEXT, frames=None, tile=(336, 336), model=None)


def rush(open: Open, path: Path, count: int, threads: int) -> None:
    """Open a picture again and again, in so many threads."""
    with ThreadPoolExecutor(threads) as pool:
        for prepared in pool.map(open, [Image(path)] * count):
            assert prepared.seen is not None


def compare(path: Path, count: int, cores: int) -> None:
    """Print how many pictures a second both ways open."""
    with Workers(OPENER, cores) as opened:
        ways = {
            "one thread": lambda: rush(OPENER.open, path, count, 1),
            "threads": lambda: rush(OPENER.open, path, count, cores),
            "workers": lambda: rush(opened, path, count, cores),
        }
        seconds = alternate(ways, REPEATS)
    rates = ", ".join(f"{name} {count / taken:.1f}" for name, taken in seconds.items())
    print(f"  pictures a second: {rates}; {seconds['threads'] / seconds['workers']:.2f} times (promise: {GOAL})")


def start(path: Path) -> float:
    """Seconds from nothing to the first picture of one worker."""
    started = time.perf_counter()
    with Workers(OPENER, 1) as opened:
        opened(Image(path))
        return time.perf_counter() - started


def main() -> None:
    """Measure both sizes."""
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        for width, height, count in CASES:
            path = Path(folder) / f"{width}.jpg"
            path.write_bytes(photo(width, height))
            print(f"{width} x {height}, {cores} cores:")
            compare(path, count, cores)
        print(f"one worker's first picture: after {min(start(path) for _ in range(REPEATS)):.2f} s")


if __name__ == "__main__":
    main()
