"""What there is to do: the items that an output lacks, by what the user wants done with those it has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from llavacli.captioning.options import Existing
from llavacli.captioning.outcome import Keeping, Sink
from llavacli.captioning.picture import Item
from llavacli.failures import EXIT_CODES, Failure


@dataclass(frozen=True)
class Task:
    """An item, and the outputs that lack it."""

    item: Item
    sinks: Sequence[Sink]


@dataclass(frozen=True)
class Plan:
    """The tasks; and the items left as they are: done already, or with why they failed in an earlier run."""

    tasks: list[Task]
    passed: list[tuple[Item, Failure | None]]

    @property
    def skipped(self) -> int:
        """How many are done already."""
        return len(self.passed) - len(self.failed_before)

    @property
    def failed_before(self) -> list[Failure]:
        """Why others failed."""
        return [failure for _, failure in self.passed if failure is not None]


def plan(
    items: Iterable[Item],
    kept: Sequence[Keeping],
    shown: Sequence[Sink],
    existing: Existing,
    fingerprint: Callable[[Item], str],
    *,
    retry_failed: bool,
) -> Plan:
    """What to do, by what is `kept` if anything is; what comes of it is `shown`, too.

    `fingerprint`, of what would make a caption now, is asked for only to tell what is stale.
    """
    tasks, passed = list[Task](), list[tuple[Item, Failure | None]]()
    for item in items:
        lacking, failed = list[Sink](), None
        for sink in kept:
            state = sink.state(item)
            if state == "missing" or existing == "overwrite" or (state == "failed" and retry_failed):
                lacking.append(sink)
            elif state == "failed":
                failed = _before(sink.failed_with(item))
            elif existing == "stale" and sink.is_stale(item, fingerprint(item)):
                lacking.append(sink)
        if failed is None and (lacking or not kept):
            tasks.append(Task(item, [*lacking, *shown]))
        else:
            passed.append((item, failed))
    return Plan(tasks, passed)


def _before(code: str | None) -> Failure:
    """A failure of an earlier run, of which there is no more than its code."""
    return Failure(code if code in EXIT_CODES else "input_unreadable", "failed before", None)
