"""The flags that commands share, each written once; most are also `LLAVACLI_<OPTION>` in the environment."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

import typer

from llavacli.completion import mark_shapes, model_names
from llavacli.settings import PREFIX

MODEL = "Model"
GENERATION = "Generation"
MARKS = "Marks"
OUTPUT = "Output"


def flag(
    *names: str,
    panel: str,
    help: str,
    metavar: str | None = None,
    repeatable: bool = False,
    settable: bool = True,
    **more: Any,
) -> Any:
    """A Typer option under a heading of the help; the long name comes first and names the environment variable.

    A repeatable option's variable is read by `settings`, since Typer would split it at every blank. One that is not
    `settable` is heeded on the command line alone: what it does should not be done because of a file or a variable.
    """
    has_variable = settable and not repeatable
    variable = PREFIX + names[0].removeprefix("--").replace("-", "_").upper() if has_variable else None
    return typer.Option(
        *names,
        rich_help_panel=panel,
        help=help,
        metavar=metavar,
        envvar=variable,
        show_envvar=False,
        show_default=False,
        **more,
    )


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Which model, and where and how it is laid out."""

    model: Annotated[
        str | None,
        flag(
            "--model",
            "-m",
            panel=MODEL,
            metavar="NAME",
            help="A Hub id (org/name), a folder, or an alias. [default: the built-in demo]",
            autocompletion=model_names,
        ),
    ] = None
    revision: Annotated[
        str | None, flag("--revision", panel=MODEL, metavar="REV", help="A branch, tag or commit of the Hub id.")
    ] = None
    template: Annotated[
        str | None,
        flag("--template", panel=MODEL, metavar="NAME|FILE", help="Prompt dialect, for a model that brings none."),
    ] = None
    device: Annotated[
        str, flag("--device", panel=MODEL, metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps. [default: auto]")
    ] = "auto"
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        flag("--dtype", panel=MODEL, metavar="DTYPE", help="auto, float32, bfloat16 or float16. [default: auto]"),
    ] = "auto"
    quant: Annotated[
        Literal["none", "8bit", "4bit", "bnb-8bit", "bnb-4bit"],
        flag(
            "--quant",
            panel=MODEL,
            metavar="QUANT",
            help="none, 8bit or 4bit; bnb-8bit or bnb-4bit: by bitsandbytes on a CPU, too. [default: none]",
        ),
    ] = "none"
    attention: Annotated[
        Literal["auto", "sdpa", "flash", "eager"],
        flag("--attention", panel=MODEL, metavar="KERNEL", help="auto, sdpa, flash or eager. [default: auto]"),
    ] = "auto"
    max_memory: Annotated[
        list[str] | None,
        flag(
            "--max-memory",
            panel=MODEL,
            metavar="[DEVICE=]SIZE",
            help="What a device may take, e.g. 8GiB or 0=20GiB; may be repeated. [default: what is free]",
            repeatable=True,
        ),
    ] = None
    offline: Annotated[bool, flag("--offline", panel=MODEL, help="Never ask the Hub.")] = False


@dataclass(frozen=True, kw_only=True)
class GenerationOptions:
    """What is asked, and how the answer is generated."""

    prompt: Annotated[
        str | None,
        flag(
            "--prompt",
            "-p",
            panel=GENERATION,
            metavar="TEXT",
            help='What to ask. [default: "Describe this image in detail.", of a clip "... this video ..."]',
        ),
    ] = None
    system: Annotated[
        str | None, flag("--system", "-s", panel=GENERATION, metavar="TEXT", help="The system prompt.")
    ] = None
    max_tokens: Annotated[
        int | None,
        flag(
            "--max-tokens",
            panel=GENERATION,
            metavar="N",
            help="The longest answer, in tokens. [default: 256, or the captioner's own]",
        ),
    ] = None
    temperature: Annotated[
        float,
        flag("--temperature", panel=GENERATION, metavar="T", help="0 is greedy, hence reproducible. [default: 0]"),
    ] = 0.0
    top_p: Annotated[
        float | None, flag("--top-p", panel=GENERATION, metavar="P", help="Sample from the likeliest, up to P in all.")
    ] = None
    top_k: Annotated[
        int | None, flag("--top-k", panel=GENERATION, metavar="K", help="Sample from the K likeliest.")
    ] = None
    min_p: Annotated[
        float | None, flag("--min-p", panel=GENERATION, metavar="P", help="Leave out what is below P x the likeliest.")
    ] = None
    repetition_penalty: Annotated[
        float | None,
        flag(
            "--repetition-penalty",
            panel=GENERATION,
            metavar="R",
            help="Above 1 discourages repeats. [default: the model's own, mostly 1]",
        ),
    ] = None
    beams: Annotated[int, flag("--beams", panel=GENERATION, metavar="N", help="Beams to search with. [default: 1]")] = 1
    length_penalty: Annotated[
        float | None,
        flag(
            "--length-penalty",
            panel=GENERATION,
            metavar="F",
            help="Above 0, beams favour long answers, below 0 short ones. [default: 1, or the captioner's own]",
        ),
    ] = None
    seed: Annotated[
        int | None, flag("--seed", panel=GENERATION, metavar="N", help="The same seed gives the same sample.")
    ] = None
    stop: Annotated[
        list[str] | None,
        flag(
            "--stop",
            panel=GENERATION,
            metavar="TEXT",
            help="End the answer before this text; may be repeated.",
            repeatable=True,
        ),
    ] = None
    max_tiles: Annotated[
        int | None,
        flag("--max-tiles", panel=GENERATION, metavar="N", help="Cut a picture into at most N tiles (AnyRes)."),
    ] = None
    frames: Annotated[
        int | None,
        flag(
            "--frames", panel=GENERATION, metavar="N", help="Show N frames of a clip. [default: the model's own number]"
        ),
    ] = None
    fps: Annotated[
        float | None, flag("--fps", panel=GENERATION, metavar="F", help="Show F frames of each second of a clip.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class MarkOptions:
    """What is drawn on pictures."""

    mark: Annotated[
        list[str] | None,
        flag(
            "--mark",
            panel=MARKS,
            metavar="SHAPE:COORDS[:COLOUR]",
            help="Draw a mark on every picture; may be repeated. See below.",
            repeatable=True,
            autocompletion=mark_shapes,
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class TerminalOptions:
    """How much is said, and how it looks."""

    quiet: Annotated[
        bool, flag("--quiet", "-q", panel=OUTPUT, help="No notes, no warnings but of what is lost, no progress.")
    ] = False
    verbose: Annotated[bool, flag("--verbose", "-v", panel=OUTPUT, help="Tokens and timing, on stderr.")] = False
    debug: Annotated[bool, flag("--debug", panel=OUTPUT, help="Add the traceback to an error.")] = False
    color: Annotated[
        Literal["auto", "always", "never"],
        flag("--color", panel=OUTPUT, metavar="WHEN", help="auto, always or never. [default: auto]"),
    ] = "auto"


@dataclass(frozen=True, kw_only=True)
class RecordOptions:
    """Whether answers are records, and what these hold."""

    json: Annotated[bool, flag("--json", panel=OUTPUT, help="One JSON record per line.")] = False
    tokens: Annotated[bool, flag("--tokens", panel=OUTPUT, help="Add prompt_text and token_ids to records.")] = False


MARKS_HELP = """\b
Marks: SHAPE is box, ellipse, arrow (X1,Y1,X2,Y2), circle (X,Y,RADIUS), point (X,Y), polygon, scribble or
mask (X1,Y1,X2,Y2,X3,Y3,...). COORDS count from the upper left corner: pixels (12,30,200,180), percent
(10%,10%,60%,60%), or fractions, if all are within 0..1 and one has a decimal point (0.1,0.1,0.6,0.6).
Then, in any order: a colour (red, #f00, #ff0000), alpha=0.5, width=8 (pixels) or width=2%; radius= for a point."""

SHARED = (ModelOptions, GenerationOptions, MarkOptions, TerminalOptions, RecordOptions)


def spelt(given: ModelOptions | GenerationOptions, without: Collection[str] = ()) -> list[str]:
    """A group's options as arguments: those that are not at their default, but not the fields of `without`."""
    arguments: list[str] = []
    for field in fields(given):
        value, name = getattr(given, field.name), "--" + field.name.replace("_", "-")
        if value == field.default or field.name in without:
            continue
        for each in value if isinstance(value, list) else [value]:
            joined = isinstance(each, str) and each.startswith("-")
            arguments += [name] if each is True else [f"{name}={each}"] if joined else [name, str(each)]
    return arguments
