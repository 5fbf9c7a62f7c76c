"""How a benchmark prints: the machine, then a row for each figure, as results.md holds it; and what it exits with."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from llavacli.lean_torch import LARGE_PAGES

PACKAGES = ("torch", "transformers", "pillow")
VECTORS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
COLUMNS = {"script": 11, "what": 54, "llavacli": 12, "compared with": 20, "ratio": 18, "promise": 9, "": 8, "commit": 9}


def parser(about: str | None, *, repeats: int, sizes: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The flags that benchmarks share: `--repeats`, and `--size` (some of checkpoints.py's) where sizes are given."""
    flags = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--repeats", type=int, default=repeats, help=f"rounds that count (default {repeats})")
    if sizes:
        flags.add_argument("--size", nargs="+", default=list(sizes), help=f"default {' '.join(sizes)}")
    return flags


def in_large_pages() -> None:
    """Start this script anew with the large pages that the command asks for, which torch reads once, if it has none."""
    if not LARGE_PAGES.items() <= os.environ.items():
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **LARGE_PAGES})


class Report:
    """Prints rows, and remembers whether every promise was kept."""

    def __init__(self) -> None:
        """Say which machine and commit this is, and head the table."""
        self.script = Path(sys.argv[0]).name
        self.commit = _commit()
        self.broken = False
        print(f"{_machine()}; {_versions()}; commit {self.commit}\n", flush=True)
        self._print(COLUMNS)
        self._print(["-" * width for width in COLUMNS.values()])

    @property
    def exit_code(self) -> int:
        """1 if a promise was not kept."""
        return int(self.broken)

    def figure(
        self,
        what: str,
        ours: float,
        theirs: float | None = None,
        *,
        unit: str = "s",
        at_most: float | None = None,
        at_least: float | None = None,
        promised: bool = True,
        against: str = "transformers",
    ) -> None:
        """Print one row. Seconds (`s`) are shown in a fitting unit; others as they are (`/s` for rates, `x`, `MB`).

        `at_most` promises a part of what the other takes; `at_least`, how many times as fast ours is. Where nothing is
        compared, and for what is a ratio already (`x`), they bound the figure itself. Where the figure is not the one
        that was `promised`, as of a tiny network, they only say how the ratio is written.
        """
        rate, bounds_itself = unit.endswith("/s"), theirs is None or unit == "x"
        part = at_most is not None or not (rate or unit == "s")
        value, ratio = ours, ""
        if theirs is not None and not bounds_itself:
            value = ours / theirs if part or rate else theirs / ours
            ratio = f"{value:.2f} {'of it' if part else 'times as fast'}"
        if not promised:
            at_most = at_least = None
        kept = (at_most is None or value <= at_most) and (at_least is None or value >= at_least)
        self.broken |= not kept
        bound, sign = (at_least, "≥") if at_most is None else (at_most, "≤")
        promise = "" if bound is None else f"{sign} {_shown(bound, unit) if bounds_itself else f'{bound:g}'}"
        compared = "" if theirs is None else _shown(theirs, unit)
        if compared and against != "transformers":
            compared += f", {against}"
        said = "" if bound is None else "kept" if kept else "NOT kept"
        self._print([self.script, what, _shown(ours, unit), compared, ratio, promise, said, self.commit])

    def _print(self, cells: Iterable[str]) -> None:
        padded = (f"{cell:{width}}" for cell, width in zip(cells, COLUMNS.values(), strict=True))
        print(f"| {' | '.join(padded)} |", flush=True)


def _shown(value: float, unit: str) -> str:
    """A value with three digits or so, and its unit."""
    if unit == "s" and value < 1:
        value, unit = value * 1e3, "ms"
    digits = 0 if value >= 100 else 1 if value >= 20 else 2 if value >= 1 else 3
    return f"{value:.{digits}f} {unit}"


def _machine() -> str:
    """Processor, what of vectors it has, memory, and accelerators."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = told.get("flags", "").split()
    vectors = ", ".join(flag for flag in VECTORS if flag in flags)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    name = told.get("model name", platform.machine())
    return f"{os.cpu_count()} x {name} ({vectors or 'no vectors known'}), {memory:.0f} GB; {_accelerators()}"


def _accelerators() -> str:
    """The GPUs, as their own tool names them."""
    try:
        said = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "no GPU"
    return ", ".join(line.partition(" (")[0] for line in said.splitlines()) or "no GPU"


def _versions() -> str:
    said = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            said.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            said.append(f"no {package}")
    return ", ".join(said)


def _commit() -> str:
    """The commit that is checked out; with a + if files differ from it."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        try:
            return subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            return ""

    commit = git("rev-parse", "--short", "HEAD").strip() or "unknown"
    return commit + ("+" if git("status", "--porcelain", "--untracked-files=no").strip() else "")
