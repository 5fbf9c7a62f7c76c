"""A whole run of `llavacli caption`: what there is to do, the model, the outputs, and how it all went."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from llavacli import loading
from llavacli.captioning import outputs
from llavacli.captioning.asking import Asker
from llavacli.captioning.bar import Bar
from llavacli.captioning.collecting import collect
from llavacli.captioning.options import CaptionOptions
from llavacli.captioning.picture import Item, Picture
from llavacli.captioning.planning import Plan, plan
from llavacli.captioning.prompting import prompts_of
from llavacli.captioning.provenance import Provenance, provenance
from llavacli.captioning.running import Rows, Run, check_first, run_batch, run_known, show_passed, workers
from llavacli.captioning.sharding import Shard, parse
from llavacli.captioning.tally import Tally
from llavacli.captioning.wording import wording_of
from llavacli.failures import READER_GONE, Failure, UsageError, overall
from llavacli.options import GenerationOptions, ModelOptions, RecordOptions, TerminalOptions
from llavacli.render.record import unloaded
from llavacli.request import question_of
from llavacli.signals import Stopper
from llavacli.streams import Notes, OutputError
from llavacli.terminal import notes_of

if TYPE_CHECKING:
    import llavacli_core as core

BARE_ENDINGS = ("txt", "text", "caption", "cap", "tags")  # of sidecars, typed without their dot


def caption_all(
    paths: Sequence[str],
    *,
    options: CaptionOptions,
    model: ModelOptions,
    generation: GenerationOptions,
    records: RecordOptions,
    terminal: TerminalOptions,
    stopper: Stopper,
) -> int:
    """Caption every picture in files and folders; the exit code."""
    notes = notes_of(terminal)
    if records.tokens and not (records.json or outputs.holds_records(options.output)):
        raise UsageError("--tokens adds to records, and none were asked for", hint="add --json, or -o FILE.jsonl")
    rows, shard, question = _rows(options.batch), parse(options.shard), question_of(generation, [])
    prompts = prompts_of(question.prompt, options, generation.seed)
    unread = unloaded(loading.model_name(model), model.revision)
    asker = Asker(question=question, wording=wording_of(options), unloaded=unread, tokens=records.tokens)
    made_by = provenance(asker, generation, model)
    pictures = _pictures(paths, options, shard, notes, several_prompts=prompts.are_several)
    items = [item for picture in pictures for item in prompts.items(picture)]
    with outputs.opened(options, records, terminal.color, pictures, shard) as out:
        stopper.restore = out.close  # a file that holds nothing yet is not left behind
        to_do = _planned(items, out, options, made_by, model, notes)
        tally = Tally(len(to_do.tasks), skipped=to_do.skipped, failed_before=len(to_do.failed_before))
        bar = Bar(tally, notes, is_free=not out.is_terminal)
        stopper.restore = lambda: _let_go(bar, out)
        run = Run(asker, made_by, tally, bar, notes, stopper, rows, options.max_failures)
        with _summed_up(tally, bar, notes):
            show_passed(to_do.passed, out.shown, asker)
            failures = _all(to_do, run, model)
        out.finished = True
    return overall([*failures, *to_do.failed_before], len(items))


def _pictures(
    paths: Sequence[str], options: CaptionOptions, shard: Shard, notes: Notes, *, several_prompts: bool
) -> list[Picture]:
    """The pictures of this shard; what cannot be kept is refused for all shards alike."""
    for name in paths if options.sidecar is not None else ():
        if name in BARE_ENDINGS and not os.path.lexists(name):
            raise UsageError(f"--sidecar {name}: an ending begins with a dot", hint=f"--sidecar .{name}")
    collected = collect(paths, options)
    if collected.clips_left_out:
        notes.note(f"clips left out: {collected.clips_left_out} (--videos captions them too)")
    outputs.check(options, collected.pictures, several_prompts=several_prompts)
    mine = [picture for picture in collected.pictures if shard.has(picture.within)]
    if not mine:
        notes.note("no picture found")
    return outputs.checked(options, mine[: options.limit])


def _planned(
    items: Sequence[Item],
    out: outputs.Outputs,
    options: CaptionOptions,
    made_by: Provenance,
    model: ModelOptions,
    notes: Notes,
) -> Plan:
    """What there is to do. To tell what is stale the model must be known, but not its weights."""
    known: list[core.ModelInfo] = []

    def fingerprint(item: Item) -> str:
        if not known:
            known.append(loading.load_processor(model, notes).info)
        return made_by.fingerprint(item, known[0])

    return plan(items, out.kept, out.shown, options.existing, fingerprint, retry_failed=options.retry_failed)


def _all(to_do: Plan, run: Run, model: ModelOptions) -> list[Failure]:
    """Do everything; no model is loaded if nothing can succeed."""
    failures = run_known(to_do.tasks, run)
    tasks = [task for task in to_do.tasks if task.item.picture.error is None]
    if not tasks or run.has_failed_enough:
        return failures
    with workers() as pool:  # while the model is loaded, the first of them starts
        engine = loading.load(model, run.notes)
        check_first([task.item for task in tasks], run.asker, engine.info)
        return failures + run_batch(tasks, engine, run, pool)


def _let_go(bar: Bar, out: outputs.Outputs) -> None:
    """Leave the terminal, and the files, as they are to be."""
    bar.clear()
    out.close()


@contextmanager
def _summed_up(tally: Tally, bar: Bar, notes: Notes) -> Iterator[None]:
    """Say at the end how it went, however it ended; only one whose reader has gone leaves without a word."""
    is_read = True
    try:
        yield
    except OutputError as error:
        is_read = error.exit_code != READER_GONE
        raise
    finally:
        bar.clear()
        if is_read:
            notes.note(tally.summary())


def _rows(batch: str) -> Rows:
    """`auto`, or a number."""
    if batch == "auto":
        return "auto"
    if not batch.isascii() or not batch.isdigit() or int(batch) < 1:
        raise UsageError(f"--batch {batch} is neither auto nor a number from 1 on", hint="e.g. --batch 8")
    return int(batch)
