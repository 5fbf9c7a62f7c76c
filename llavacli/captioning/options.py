"""The flags of `llavacli caption` alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

import typer

from llavacli.options import GENERATION, OUTPUT, flag

INPUT = "Pictures"

Existing = Literal["skip", "overwrite", "stale"]
PerImage = Literal["all", "first", "random"]
BY_STEM: Final = "{stem}"


@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """Which pictures."""

    recursive: Annotated[
        bool,
        typer.Option(
            "--recursive/--no-recursive",
            "-r",
            rich_help_panel=INPUT,
            help="Go into the folders within folders. [default: yes]",
            show_default=False,
            envvar="LLAVACLI_RECURSIVE",
            show_envvar=False,
        ),
    ] = True
    include: Annotated[
        list[str] | None,
        flag(
            "--include",
            panel=INPUT,
            metavar="GLOB",
            help="In folders, only what matches: a name, or with a / a path within the folder; may be repeated.",
            repeatable=True,
        ),
    ] = None
    exclude: Annotated[
        list[str] | None,
        flag(
            "--exclude",
            panel=INPUT,
            metavar="GLOB",
            help="In folders, not what matches, folders included; may be repeated.",
            repeatable=True,
        ),
    ] = None
    files_from: Annotated[
        str | None,
        flag("--files-from", panel=INPUT, metavar="FILE", help="Read paths from FILE, one per line; - is stdin."),
    ] = None
    null: Annotated[
        bool, flag("--null", "-0", panel=INPUT, help="The paths of --files-from end in NUL, as find -print0 has them.")
    ] = False
    videos: Annotated[bool, flag("--videos", panel=INPUT, help="Caption clips too.")] = False
    limit: Annotated[
        int | None, flag("--limit", panel=INPUT, metavar="N", help="The first N pictures only.", min=1)
    ] = None
    shard: Annotated[
        str | None,
        flag("--shard", panel=INPUT, metavar="I/N", help="The I-th of N parts; the N results together are the whole."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class WordOptions:
    """What is asked of each picture, and what becomes of the words that come."""

    prompt_file: Annotated[
        str | None,
        flag("--prompt-file", panel=GENERATION, metavar="FILE", help="Prompts, one per line, instead of --prompt."),
    ] = None
    per_image: Annotated[
        PerImage,
        flag(
            "--per-image",
            panel=GENERATION,
            metavar="WHICH",
            help="Of a prompt file's prompts each picture gets all, the first, or a random one. [default: all]",
        ),
    ] = "all"
    prepend: Annotated[str, flag("--prepend", panel=OUTPUT, metavar="TEXT", help="Put TEXT before each caption.")] = ""
    append: Annotated[str, flag("--append", panel=OUTPUT, metavar="TEXT", help="Put TEXT behind each caption.")] = ""
    trim_sentence: Annotated[
        bool,
        flag(
            "--trim-sentence",
            panel=OUTPUT,
            help="Of a caption cut by --max-tokens keep the whole sentences, if there is one.",
        ),
    ] = False


@dataclass(frozen=True, kw_only=True)
class KeepingOptions:
    """Where captions are kept, and what becomes of those that are there already."""

    output: Annotated[
        str | None,
        flag(
            "--output",
            "-o",
            panel=OUTPUT,
            metavar="FILE",
            help="Keep captions in FILE.jsonl (records), FILE.csv, or metadata.jsonl (for ImageFolder).",
        ),
    ] = None
    sidecar: Annotated[
        str | None,
        flag(
            "--sidecar",
            panel=OUTPUT,
            metavar="[.txt]",
            help="Keep each caption in a file beside its picture: .txt, or the ending given, e.g. .caption.",
        ),
    ] = None
    sidecar_name: Annotated[
        Literal["{stem}", "{name}"],
        flag(
            "--sidecar-name",
            panel=OUTPUT,
            metavar="NAME",
            help="What a sidecar is called: {stem} (a.txt) or {name} (a.jpg.txt). [default: {stem}]",
        ),
    ] = BY_STEM
    existing: Annotated[
        Existing,
        flag(
            "--existing",
            panel=OUTPUT,
            metavar="WHAT",
            help="Captions that exist: skip, overwrite, or redo if stale (another prompt or model). [default: skip]",
        ),
    ] = "skip"
    retry_failed: Annotated[
        bool, flag("--retry-failed", panel=OUTPUT, help="Try again what an earlier run failed on.")
    ] = False


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How the work is done."""

    batch: Annotated[
        str,
        flag("--batch", "-b", panel=GENERATION, metavar="N", help="Pictures at a time, or auto. [default: auto]"),
    ] = "auto"
    max_failures: Annotated[
        int | None, flag("--max-failures", panel=OUTPUT, metavar="N", help="Stop when N have failed.", min=1)
    ] = None


@dataclass(frozen=True, kw_only=True)
class CaptionOptions(KeepingOptions, WordOptions, RunOptions, InputOptions):
    """All of them; their order in the help is from the last to the first."""
