"""The run: items go to the core as it has room for them, and each outcome is kept as soon as it is known."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from llavacli.captioning.asking import Asker
from llavacli.captioning.bar import Bar
from llavacli.captioning.outcome import Outcome, Sink
from llavacli.captioning.picture import Item
from llavacli.captioning.planning import Task
from llavacli.captioning.provenance import Provenance
from llavacli.captioning.tally import Tally
from llavacli.failures import Failure, failure
from llavacli.render.statistics import statistics
from llavacli.signals import Stopper
from llavacli.streams import Notes

if TYPE_CHECKING:
    import llavacli_core as core

Rows = int | Literal["auto"]
MOST_WORKERS = 4


@dataclass(frozen=True)
class Run:
    """What a run needs besides its tasks and the engine."""

    asker: Asker
    provenance: Provenance
    tally: Tally
    bar: Bar
    notes: Notes
    stopper: Stopper
    rows: Rows
    max_failures: int | None

    @property
    def has_failed_enough(self) -> bool:
        """Whether to stop."""
        return self.max_failures is not None and self.tally.failures >= self.max_failures

    def refuse(self, task: Task, error: Exception, info: core.ModelInfo | None) -> Failure:
        """Keep that an item failed, and say so."""
        what = failure(error)
        made_by = None if info is None else self.provenance.fingerprint(task.item, info)
        self._keep(task, self.asker.refused(task.item, what, info), what, made_by)
        self.tally.failed[what.code] += 1
        self.bar.clear()
        self.notes.error(what.about(task.item.picture.path), error)
        return what

    def accept(self, task: Task, done: core.Done, engine: core.Engine) -> None:
        """Keep an answer; one that was interrupted is no caption."""
        if done.finish_reason == "interrupted":
            return
        load = 0.0 if self.tally.captioned else engine.load_ms
        record = self.asker.answered(task.item, done, engine.info, load)
        self._keep(task, record, None, self.provenance.fingerprint(task.item, engine.info))
        self.tally.captioned += 1
        self.tally.cut += done.finish_reason == "length"
        if done.warnings or self.notes.verbose:
            self.bar.clear()
        for warning in done.warnings:
            self.notes.warning(self.asker.about(task.item, warning))
        self.notes.statistics(f"{task.item.picture.path}: {statistics(done)}")

    def _keep(self, task: Task, record: dict[str, Any], what: Failure | None, made_by: str | None) -> None:
        outcome = Outcome(item=task.item, record=record, failure=what, fingerprint=made_by)
        for sink in task.sinks:
            sink.put(outcome)


def show_passed(passed: Sequence[tuple[Item, Failure | None]], shown: Sequence[Sink], asker: Asker) -> None:
    """Show what is left as it is: records on stdout tell of every picture."""
    for item, failed in passed:
        record = asker.skipped(item) if failed is None else asker.refused(item, failed, None)
        for sink in shown:
            sink.put(Outcome(item=item, record=record, failure=failed, fingerprint=None))


def run_known(tasks: Sequence[Task], run: Run) -> list[Failure]:
    """Keep what is known to fail, before a model is loaded."""
    failures = []
    for task in tasks:
        if task.item.picture.error is not None and not run.has_failed_enough:
            failures.append(run.refuse(task, task.item.picture.error, None))
            run.stopper.check()
    return failures


def run_batch(tasks: Sequence[Task], engine: core.Engine, run: Run, pool: core.Workers | None) -> list[Failure]:
    """Caption all that may succeed. What would meet every picture alike is raised."""
    import llavacli_core as core

    open_tasks: dict[int, Task] = {}
    events = engine.batch(_requests(tasks, engine, run, open_tasks), rows=run.rows, workers=pool)
    failures: list[Failure] = []
    run.tally.start()
    with run.stopper.answering(events.stop, urgent=True), closing(events):
        for index, event in events:
            if isinstance(event, core.Text):
                run.tally.piece(index)
            elif isinstance(event, core.Done):
                run.tally.answer(index, event.usage.completion_tokens)
                run.accept(open_tasks.pop(index), event, engine)
            else:
                if failure(event.error).concerns_all:
                    raise event.error
                if run.has_failed_enough:  # what is not kept is tried again
                    continue
                failures.append(run.refuse(open_tasks.pop(index), event.error, engine.info))
                if run.has_failed_enough:
                    events.stop()
            run.bar.tick()
    return failures


def _requests(
    tasks: Sequence[Task], engine: core.Engine, run: Run, open_tasks: dict[int, Task]
) -> Iterator[tuple[list[core.Message], core.Sampling]]:
    """What the core asks for when it has room, each kept open under the number that its events will have."""
    for index, task in enumerate(tasks):
        open_tasks[index] = task
        yield run.asker.messages(task.item, engine.info), run.asker.question.sampling


def check_first(items: Sequence[Item], asker: Asker, info: core.ModelInfo) -> None:
    """Refuse what this model cannot be asked, before it is asked anything: one picture and one clip tell."""
    for is_clip in (False, True):
        item = next((item for item in items if item.picture.is_clip == is_clip), None)
        if item is not None:
            asker.check(item, info)


def workers() -> AbstractContextManager[core.Workers | None]:
    """Processes that open pictures; none where the core has no such thing."""
    import llavacli_core as core

    return nullcontext() if sys.platform == "win32" else core.Workers(min(MOST_WORKERS, os.cpu_count() or 1))
