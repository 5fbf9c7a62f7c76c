"""`llavacli doctor`: what this computer has, and whether a model fits in it, in which form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Annotated

import typer

from llavacli import loading
from llavacli.asking import ask_all
from llavacli.failures import TOO_BIG, Failure
from llavacli.options import OUTPUT, GenerationOptions, ModelOptions, TerminalOptions, flag, spelt
from llavacli.render.doctor import Checkup, advised, as_text, report
from llavacli.render.record import line
from llavacli.request import Question, Request, grouped, question_of
from llavacli.sources import named
from llavacli.terminal import streams

if TYPE_CHECKING:
    import llavacli_core as core

Sources = Annotated[
    list[str] | None,
    typer.Argument(metavar="SOURCE", show_default=False, help="Pictures and clips, as they would be described."),
]
Together = Annotated[bool, flag("--together", panel=OUTPUT, help="All sources are put into one prompt.")]
Json = Annotated[bool, flag("--json", panel=OUTPUT, help="One JSON object.")]

REPLACED = {"--max-tiles": ("max_tiles",), "--frames": ("frames", "fps")}  # by a flag that is advised


def doctor(
    sources: Sources = None,
    *,
    model: ModelOptions,
    generation: GenerationOptions,
    together: Together = False,
    json: Json = False,
    terminal: TerminalOptions,
) -> int:
    """Look at this computer; with a model or sources, tell whether these fit and what to ask for.

    \b
    Examples:
      llavacli doctor
      llavacli doctor -m llava-hf/llava-v1.6-mistral-7b-hf cat.jpg
      llavacli doctor -m llava-1.5-13b --quant 4bit --json | jq .fits
    """
    import llavacli_core as core

    notes, output = streams(terminal)
    question = question_of(generation, [])
    checkup, code = None, 0
    if model.model or sources:
        requests = grouped(named(sources), together=together) if sources else []
        load = cache(lambda: loading.load_processor(model, notes))
        asked = Asked(question)
        code = ask_all(requests, load, asked.attempt, asked, notes)
        if requests and not asked.works:
            return code
        checkup = _checked(load(), asked, model, generation, together=together)
    found = report(core.environment(), checkup, output)
    output.write(line(found) if json else as_text(found))
    if checkup is None:
        core.settled_device(model.device)
    return TOO_BIG if checkup is not None and not checkup.wanted.fits else code


class Asked:
    """The requests that the model can be asked, and what each takes of the network."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.requests: list[Request] = []
        self.works: list[core.Work] = []

    def attempt(self, processor: core.Processor | core.CaptionProcessor, request: Request) -> None:
        """Take in a request."""
        self.works.append(_work(processor, request, self.question))
        self.requests.append(request)

    def failed(self, request: Request, failure: Failure, info: core.ModelInfo | None) -> None:
        """Nothing: the report is about the others."""


def _checked(
    processor: core.Processor | core.CaptionProcessor,
    asked: Asked,
    model: ModelOptions,
    generation: GenerationOptions,
    *,
    together: bool,
) -> Checkup:
    """The model as it would run, and in other forms, with the request that takes the most."""
    import llavacli_core as core

    placement = loading.placement(model)
    wanted, work = max(
        ((core.fit(processor, work, placement=placement), work) for work in asked.works or [core.Work()]),
        key=lambda pair: pair[0].footprint.total,
    )
    choices = core.fits(processor, work, placement=placement)
    best = core.best_fit(choices, wanted)
    smaller = None
    if not wanted.fits and asked.works:
        smaller = _smaller(processor, asked.requests, asked.question, placement)
    flags = _flags(model, generation, best, smaller)
    if flags is not None and together:
        flags.append("--together")
    names = [source.name for each in asked.requests for source in each.sources]
    return Checkup(
        model=processor.info,
        work=work,
        wanted=wanted,
        choices=choices,
        best=best,
        command=None if flags is None else advised(loading.model_name(model), flags, names),
    )


def _flags(
    model: ModelOptions, generation: GenerationOptions, best: core.Fit | None, smaller: str | None
) -> list[str] | None:
    """What to ask for: what was asked, in the best form, or with fewer tiles or frames if that alone does it."""
    form: tuple[str, ...]
    if smaller is not None:
        form, instead = (), smaller.split()
    elif best is not None:
        form, instead = ("dtype", "quant"), best.flags.split()
    else:
        return None
    kept = spelt(generation, REPLACED.get(instead[0], ()))
    return [*instead, *spelt(model, ["model", *form]), *kept]


def _work(processor: core.Processor | core.CaptionProcessor, request: Request, question: Question) -> core.Work:
    """What a request asks of the network."""
    import llavacli_core as core

    prepared = processor.prepare(question.messages(request, processor.info))
    processor.check_fits(prepared)
    return core.work_of(processor, prepared, question.sampling)


def _smaller(
    processor: core.Processor | core.CaptionProcessor,
    requests: Sequence[Request],
    question: Question,
    placement: core.Placement,
) -> str | None:
    """Fewer tiles or frames, where that alone would make the model fit."""
    import llavacli_core as core

    for option, fewer in (("--max-tiles 1", {"max_tiles": 1}), ("--frames 4", {"frames": 4, "fps": None})):
        works = [_work(processor, request, replace(question, **fewer)) for request in requests]
        if all(core.fit(processor, work, placement=placement).fits for work in works):
            return option
    return None
