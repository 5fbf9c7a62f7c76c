"""What there is to do: the items that an output lacks, by what the user wants done with those it has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from llavacli.captioning.options import Existing
from llavacli.captioning.outcome import Sink
from llavacli.captioning.picture import Item


@dataclass(frozen=True)
class Task:
    """An item, and the outputs that lack it."""

    item: Item
    sinks: Sequence[Sink]


@dataclass(frozen=True)
class Plan:
    """The tasks; how many items are done already, and how many failed in an earlier run and are left at that."""

    tasks: list[Task]
    skipped: int
    failed_before: int


def plan(
    items: Iterable[Item],
    sinks: Sequence[Sink],
    existing: Existing,
    fingerprint: Callable[[Item], str],
    *,
    retry_failed: bool,
) -> Plan:
    """What to do; `fingerprint`, of what would make a caption now, is asked for only to tell what is stale."""
    tasks, skipped, failed_before = [], 0, 0
    for item in items:
        lacking, has_failed = [], False
        for sink in sinks:
            state = sink.state(item)
            if state == "missing" or existing == "overwrite" or (state == "failed" and retry_failed):
                lacking.append(sink)
            elif state == "failed":
                has_failed = True
            elif existing == "stale" and sink.is_stale(item, fingerprint(item)):
                lacking.append(sink)
        if has_failed:
            failed_before += 1
        elif lacking:
            tasks.append(Task(item, lacking))
        else:
            skipped += 1
    return Plan(tasks, skipped, failed_before)
