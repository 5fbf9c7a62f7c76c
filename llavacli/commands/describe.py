"""`llavacli describe`: one answer per picture or clip, or one for all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from llavacli import loading
from llavacli.asking import ask_all
from llavacli.failures import UsageError, failure
from llavacli.options import OUTPUT, GenerationOptions, MarkOptions, ModelOptions, RecordOptions, TerminalOptions, flag
from llavacli.render.dry_run import DryRunRecords, DryRunText, plan_of, refused
from llavacli.render.record import Records
from llavacli.render.statistics import statistics
from llavacli.render.text import TextAnswers
from llavacli.request import Question, Request, grouped, question_of, refuse_marked_clips
from llavacli.signals import Stopper
from llavacli.sources import named
from llavacli.streams import Notes, Output
from llavacli.terminal import streams

if TYPE_CHECKING:
    import llavacli_core as core

Sources = Annotated[
    list[str] | None,
    typer.Argument(metavar="SOURCE", show_default=False, help="A picture or a clip: a path, a URL, or - for stdin."),
]


@dataclass(frozen=True, kw_only=True)
class DescribeOptions:
    """What this command alone can do."""

    together: Annotated[bool, flag("--together", panel=OUTPUT, help="Put all sources into one prompt: one answer.")] = (
        False
    )
    dry_run: Annotated[
        bool, flag("--dry-run", panel=OUTPUT, help="Show the prompt and what it costs; load no weights.")
    ] = False


def describe(
    sources: Sources = None,
    *,
    model: ModelOptions,
    generation: GenerationOptions,
    marks: MarkOptions,
    describing: DescribeOptions,
    records: RecordOptions,
    terminal: TerminalOptions,
    stopper: Stopper,
) -> int:
    """Describe pictures and clips, or answer a question about each of them.

    \b
    Examples:
      llavacli describe cat.jpg
      llavacli describe -p "What colour is the cat?" cat.jpg https://example.org/dog.png
      llavacli describe --together -p "What has changed?" before.jpg after.jpg
      llavacli describe --mark box:10%,10%,60%,60%:red -p "What is within the red box?" cat.jpg
      llavacli describe -m llava-hf/LLaVA-NeXT-Video-7B-hf --frames 8 clip.mp4
      llavacli describe --json *.jpg > answers.jsonl
      cat cat.jpg | llavacli describe -
    """
    notes, output = streams(terminal)
    if records.tokens and not records.json:
        raise UsageError("--tokens adds to records, and none were asked for", hint="add --json")
    question = question_of(generation, marks.mark or [])
    found = named(sources or [], animations=generation.frames is not None or generation.fps is not None)
    refuse_marked_clips(found, question)
    requests = grouped(found, together=describing.together)
    if describing.dry_run:
        return _plan_all(requests, question, model, records, output, notes)
    show: TextAnswers | Records = TextAnswers(output, headed=len(requests) > 1)
    if records.json:
        show = Records(output, question, model, tokens=records.tokens)

    def attempt(engine: core.Engine, request: Request) -> None:
        done = _answer(engine, request, question, show, stopper)
        for warning in done.warnings:
            notes.warning(request.about(warning))
        notes.statistics(f"{request.title}: {statistics(done)}")
        stopper.check()

    return ask_all(requests, lambda: loading.load_alone(model, notes), attempt, show, notes)


def _answer(
    engine: core.Engine, request: Request, question: Question, show: TextAnswers | Records, stopper: Stopper
) -> core.Done:
    """Generate one answer and show it as it comes; a signal ends it at its next token.

    Before the first there is nothing to lose: what may take long then, such as a slow download, is not waited for.
    """
    import llavacli_core as core

    events = engine.generate(question.messages(request, engine.info), question.sampling)
    with stopper.answering(events.stop):
        with stopper.answering(events.stop, urgent=True):
            first = next(events)
        for event in chain((first,), events):
            if isinstance(event, core.Done):
                show.done(request, event, engine)
                return event
            show.piece(request, event.text)
    raise AssertionError("the last event is Done")


def _plan_all(
    requests: Sequence[Request],
    question: Question,
    model: ModelOptions,
    records: RecordOptions,
    output: Output,
    notes: Notes,
) -> int:
    """Show what each request comes to."""
    import llavacli_core as core

    show: DryRunText | DryRunRecords = DryRunText(output, headed=len(requests) > 1)
    if records.json:
        show = DryRunRecords(output, question, model)

    def attempt(processor: core.Processor | core.CaptionProcessor, request: Request) -> None:
        prepared = processor.prepare(question.messages(request, processor.info))
        work = core.work_of(processor, prepared, question.sampling)
        fit = core.fit(processor, work, placement=loading.placement(model))
        plan = plan_of(request, question, processor, prepared, fit, tokens=records.tokens)
        try:
            processor.check_fits(prepared)
            core.check_memory(processor, work, placement=loading.placement(model))
        except (core.errors.TooLong, core.errors.OutOfMemory) as error:
            show.planned(request, plan | refused(failure(error)))
            raise
        show.planned(request, plan)
        for warning in prepared.warnings:
            notes.warning(request.about(warning))

    return ask_all(requests, lambda: loading.load_processor(model, notes), attempt, show, notes)
