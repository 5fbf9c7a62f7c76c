"""What there is to do: the items that an output lacks, by what the user wants done with those it has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from llavacli.captioning.options import Existing
from llavacli.captioning.outcome import Sink
from llavacli.captioning.picture import Item
from llavacli.failures import EXIT_CODES, Failure


@dataclass(frozen=True)
class Task:
    """An item, and the outputs that lack it."""

    item: Item
    sinks: Sequence[Sink]


@dataclass(frozen=True)
class Plan:
    """The tasks; how many items are done already, and why others failed in an earlier run and are left at that."""

    tasks: list[Task]
    skipped: int
    failed_before: list[Failure]


def plan(
    items: Iterable[Item],
    sinks: Sequence[Sink],
    existing: Existing,
    fingerprint: Callable[[Item], str],
    *,
    retry_failed: bool,
) -> Plan:
    """What to do; `fingerprint`, of what would make a caption now, is asked for only to tell what is stale."""
    tasks, skipped, failed_before = list[Task](), 0, list[Failure]()
    for item in items:
        lacking, failed = list[Sink](), None
        for sink in sinks:
            state = sink.state(item)
            if state == "missing" or existing == "overwrite" or (state == "failed" and retry_failed):
                lacking.append(sink)
            elif state == "failed":
                failed = _before(sink.failed_with(item))
            elif existing == "stale" and sink.is_stale(item, fingerprint(item)):
                lacking.append(sink)
        if failed is not None:
            failed_before.append(failed)
        elif lacking:
            tasks.append(Task(item, lacking))
        else:
            skipped += 1
    return Plan(tasks, skipped, failed_before)


def _before(code: str | None) -> Failure:
    """A failure of an earlier run, of which there is no more than its code."""
    return Failure(code if code in EXIT_CODES else "input_unreadable", "failed before", None)
