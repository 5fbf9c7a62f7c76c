"""From the model's options to an engine: the demo's note, the download, and the core's `load`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from llavacli.failures import UsageError
from llavacli.lean_torch import import_torch, use_threads
from llavacli.options import ModelOptions
from llavacli.render.progress import follow
from llavacli.streams import Notes

if TYPE_CHECKING:
    import llavacli_core as core

DEMO = "demo"
DEMO_NOTE = (
    "no model chosen, so the built-in demo answers, which knows coloured shapes alone; "
    "one for real pictures: -m llava-hf/llava-v1.6-mistral-7b-hf (15 GB)"
)


def model_name(options: ModelOptions) -> str:
    """The model asked for, `~` expanded, or the demo."""
    if options.model == "":
        raise UsageError("--model is empty", hint="leave it out for the demo, or name a folder, a Hub id or an alias")
    return os.path.expanduser(options.model) if options.model else DEMO


def load(options: ModelOptions, notes: Notes) -> core.Engine:
    """The engine, its checkpoint downloaded first if need be."""
    import llavacli_core as core

    name = _chosen(options, notes)
    if not options.offline and not core.is_cached(name, revision=options.revision):
        core.refuse_impossible(name, placement(options), revision=options.revision)
        follow(core.download(name, revision=options.revision), name, notes)
    import_torch(tracing=options.quant != "none" or options.attention == "flash")  # packages that may compile
    return core.load(
        name,
        device=options.device,
        dtype=options.dtype,
        quantize=None if options.quant == "none" else options.quant,
        attention=options.attention,
        max_memory=options.max_memory,
        revision=options.revision,
        offline=options.offline,
        template=options.template,
    )


def load_alone(options: ModelOptions, notes: Notes) -> core.Engine:
    """The same, to answer one request at a time: a tiny network's on one core, which busy processes do not slow."""
    engine = load(options, notes)
    use_threads(one=engine.is_tiny)
    return engine


def load_processor(options: ModelOptions, notes: Notes) -> core.Processor | core.CaptionProcessor:
    """The processor alone: weights are neither loaded nor fetched."""
    import llavacli_core as core

    name = _chosen(options, notes)
    return core.load_processor(name, revision=options.revision, offline=options.offline, template=options.template)


def placement(options: ModelOptions) -> core.Placement:
    """Where and how the options have the network laid out."""
    import llavacli_core as core

    return core.Placement(
        device=options.device,
        dtype=options.dtype,
        quantize=None if options.quant == "none" else options.quant,
        attention=options.attention,
        max_memory=core.memory_budgets(options.max_memory),
    )


def _chosen(options: ModelOptions, notes: Notes) -> str:
    """The model's name; when nobody chose one, say so once."""
    if not options.model:
        notes.note_once(DEMO_NOTE)
    return model_name(options)
