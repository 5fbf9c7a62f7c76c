"""`llavacli caption`: a caption for every picture in files and folders, kept as they come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import typer

from llavacli.captioning.options import CaptionOptions
from llavacli.command import Command
from llavacli.options import GenerationOptions, ModelOptions, RecordOptions, TerminalOptions
from llavacli.signals import Stopper

Paths = Annotated[
    list[str] | None,
    typer.Argument(metavar="PATH", show_default=False, help="A picture, a folder, a URL, or - for a picture on stdin."),
]


class CaptionCommand(Command):
    """The command, whose --sidecar may stand alone."""

    optional_values: ClassVar[Mapping[str, str]] = {"--sidecar": ".txt"}


def caption(
    paths: Paths = None,
    *,
    model: ModelOptions,
    options: CaptionOptions,
    generation: GenerationOptions,
    records: RecordOptions,
    terminal: TerminalOptions,
    stopper: Stopper,
) -> int:
    """Caption every picture in files and folders.

    \b
    Examples:
      llavacli caption photos/
      llavacli caption photos/ --sidecar
      llavacli caption photos/ -o captions.jsonl -p "Describe this image in one sentence."
      llavacli caption photos/ -o photos/metadata.jsonl --exclude thumbs
      llavacli caption photos/ -o captions.jsonl --existing stale --retry-failed
      llavacli caption photos/ -o part2.jsonl --shard 2/4
      find photos -name '*.png' -print0 | llavacli caption -0 --files-from - --json
    """
    from llavacli.captioning.whole import caption_all  # which no other command should wait for

    return caption_all(
        paths or [],
        options=options,
        model=model,
        generation=generation,
        records=records,
        terminal=terminal,
        stopper=stopper,
    )
