"""Measuring on a shared machine: contestants take turns, rounds that other processes disturbed are done again."""

from __future__ import annotations

import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
S = TypeVar("S")

DISTURBED = 0.1  # of a sample's time: what others may use of the processors meanwhile
GRAIN = 0.03  # seconds: the kernel counts processor time in steps of 0.01, so short samples say little
PATIENCE = 2  # rounds at most, per round wanted


def timed(run: Callable[[], object]) -> float:
    """The seconds that a call takes."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def alternate(contestants: Mapping[str, Callable[[], object]], repeats: int, *, warm: bool = False) -> dict[str, float]:
    """Median seconds of each contestant; one round of all to warm up if need be, then `repeats` rounds in turn."""
    taken = rounds(contestants, repeats, timed, warm=warm)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def rounds(
    contestants: Mapping[str, S], repeats: int, sample: Callable[[S], T], *, warm: bool = False
) -> dict[str, list[T]]:
    """What `sample` makes of each contestant, in turn: a round to warm up, then `repeats` undisturbed ones.

    Contestants that are `warm` already need no such round.
    A round in which other processes kept the processors busy is done again, up to `PATIENCE` times as many; if the
    machine never comes to rest, all that was measured counts, and stderr says so.
    """
    clean: list[dict[str, T]] = []
    disturbed: list[dict[str, T]] = []
    for contestant in () if warm else contestants.values():
        sample(contestant)
    while len(clean) < repeats and len(clean) + len(disturbed) < PATIENCE * repeats:
        before, started = _others(), time.perf_counter()
        taken = {name: sample(contestant) for name, contestant in contestants.items()}
        allowed = DISTURBED * (time.perf_counter() - started) + GRAIN
        (clean if _others() - before <= allowed else disturbed).append(taken)
    kept = clean if len(clean) == repeats else clean + disturbed
    if disturbed:
        what = "were done again" if kept is clean else "count all the same: the machine does not come to rest"
        print(f"{len(disturbed)} rounds that other processes disturbed {what}", file=sys.stderr)
    return {name: [each[name] for each in kept] for name in contestants}


def _others() -> float:
    """Processor seconds used so far by all but this process and what it started; 0 where unknown."""
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    except OSError:
        return 0.0
    user, nice, system, _idle, _waiting, *interrupts_and_steal = map(int, fields[:8])
    busy = (user + nice + system + sum(interrupts_and_steal)) / os.sysconf("SC_CLK_TCK")
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return busy - sum(usage.ru_utime + usage.ru_stime for usage in usages) - _running(os.getpid())


def _running(pid: int) -> float:
    """Processor seconds used so far by the children of a process that still run, and by theirs."""
    used = 0.0
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in listed.read_text().split():
            try:
                fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            used += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK") + _running(int(child))
    return used
