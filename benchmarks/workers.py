"""Pictures a second opened by worker processes and by threads: 12-megapixel JPEGs to AnyRes tiles, on all cores.

Promise: workers are at least 0.9 times as fast as as many threads, for what they are worth in safety.
"""

from __future__ import annotations

import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from prepare import NEXT, photo
from report import Report, parser
from timing import alternate

from llavacli_core.engine.opening import Open, Opener
from llavacli_core.engine.workers import opening
from llavacli_core.messages import Image

GOAL = 0.9
CASES = ((4000, 3000, 8), (640, 480, 96))  # width, height, pictures

OPENER = Opener(checkpoint="benchmark", images=NEXT, frames=None, tile=(336, 336), model=None)


def rush(open: Open, path: Path, count: int, threads: int) -> None:
    """Open a picture again and again, in so many threads."""
    with ThreadPoolExecutor(threads) as pool:
        for prepared in pool.map(open, [Image(path)] * count):
            assert prepared.seen is not None


def compare(report: Report, path: Path, count: int, cores: int, repeats: int) -> None:
    """Measure how many of a picture a second both ways open."""
    with opening(OPENER, cores) as opened:
        ways = {
            "threads": lambda: rush(OPENER.open, path, count, cores),
            "workers": lambda: rush(opened, path, count, cores),
        }
        rates = {name: count / taken for name, taken in alternate(ways, repeats).items()}
    what = f"pictures opened, {path.stem}, {cores} cores"
    report.figure(what, rates["workers"], rates["threads"], unit="/s", at_least=GOAL, against="threads")


def start(path: Path) -> None:
    """From nothing to the first picture of one worker."""
    with opening(OPENER, 1) as opened:
        opened(Image(path))


def main() -> int:
    """Measure both sizes."""
    repeats = parser(__doc__, repeats=3).parse_args().repeats
    report = Report()
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        for width, height, count in CASES:
            path = Path(folder) / f"{width} x {height}.jpg"
            path.write_bytes(photo(width, height))
            compare(report, path, count, cores, repeats)
        report.figure("a worker's first picture", alternate({"start": lambda: start(path)}, repeats)["start"])
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
