"""Where a run's captions go: a file, sidecars, stdout, or several of these; opened and locked before anything else."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from llavacli.captioning.formats import CsvFormat, MetadataFormat, RecordFormat
from llavacli.captioning.options import BY_STEM, KeepingOptions
from llavacli.captioning.outcome import Keeping, Sink
from llavacli.captioning.picture import Picture
from llavacli.captioning.printed import Printed
from llavacli.captioning.sharding import Shard
from llavacli.captioning.sidecars import Naming, Sidecars
from llavacli.captioning.table import Table
from llavacli.failures import UsageError
from llavacli.options import RecordOptions
from llavacli.streams import Color, Output

ENDINGS = (".jsonl", ".csv")
STDOUT = "-"


@dataclass
class Outputs:
    """Where captions are kept, and shown besides; `is_terminal` if a terminal shows them.

    `finished` once nothing more will come.
    """

    kept: list[Keeping] = field(default_factory=list)
    shown: list[Sink] = field(default_factory=list)
    is_terminal: bool = False
    finished: bool = False

    def close(self) -> None:
        """Let go of all of them, each once."""
        for sinks in (self.shown, self.kept):
            while sinks:
                sinks.pop().close(finished=self.finished)


def holds_records(output: str | None) -> bool:
    """Whether a file is one of records."""
    return output is not None and output.lower().endswith(".jsonl") and not _is_metadata(output)


def check(keeping: KeepingOptions, pictures: Sequence[Picture], *, several_prompts: bool) -> None:
    """Refuse what cannot be kept as it was asked for, before a file is touched."""
    if keeping.sidecar_name != BY_STEM and keeping.sidecar is None:
        raise UsageError(f"--sidecar-name {keeping.sidecar_name} is about sidecars", hint="add --sidecar")
    if keeping.output is None and keeping.sidecar is None:
        if keeping.existing != "skip" or keeping.retry_failed:
            option = "--retry-failed" if keeping.retry_failed else f"--existing {keeping.existing}"
            raise UsageError(f"{option} is about captions that are kept", hint="add -o FILE.jsonl or --sidecar")
        return
    if several_prompts and (keeping.sidecar is not None or _is_metadata(keeping.output)):
        raise UsageError(
            "several prompts per picture make several captions, and there is room for one",
            hint="--per-image first or random, or -o FILE.jsonl",
        )
    if keeping.sidecar is not None:
        _naming(keeping).refuse_shared(pictures)
    if keeping.output is not None:
        _check_file(keeping.output, pictures)


def checked(keeping: KeepingOptions, pictures: Sequence[Picture]) -> list[Picture]:
    """The pictures, with what is wrong with those that cannot be kept."""
    if keeping.sidecar is not None:
        pictures = [*map(_naming(keeping).checked, pictures)]
    if keeping.output is not None and _is_metadata(keeping.output):
        pictures = [*map(_metadata(keeping.output).checked, pictures)]
    return list(pictures)


@contextmanager
def opened(
    keeping: KeepingOptions, records: RecordOptions, color: Color, pictures: Sequence[Picture], shard: Shard
) -> Iterator[Outputs]:
    """The outputs; `pictures` are those of this shard."""
    outputs = Outputs()
    try:
        if keeping.output is not None:
            outputs.kept.append(_table(keeping.output, shard))
        if keeping.sidecar is not None:
            outputs.kept.append(Sidecars(_naming(keeping), pictures, shard, overwrite=keeping.existing != "skip"))
        if records.json or not outputs.kept:
            stdout = Output(color)
            outputs.is_terminal = stdout.is_terminal
            outputs.shown.append(Printed(stdout, records=records.json))
        yield outputs
    finally:
        outputs.close()


def _naming(keeping: KeepingOptions) -> Naming:
    assert keeping.sidecar is not None
    return Naming(keeping.sidecar, keeping.sidecar_name)


def _is_metadata(output: str | None) -> bool:
    """Whether a file is one for ImageFolder; shards write metadata.1.jsonl, metadata.2.jsonl, ..."""
    name = os.path.basename(output or "")
    return name.startswith("metadata.") and name.endswith(".jsonl")


def _check_file(output: str, pictures: Sequence[Picture]) -> None:
    """Refuse a file whose kind is not known, and pictures that ImageFolder would not find, or clips among them."""
    if output in ("", STDOUT):
        raise UsageError(
            "--output is for files alone",
            hint="leave it out for stdout; --json prints records there, also besides a file",
        )
    if not output.lower().endswith(ENDINGS):
        raise UsageError(f"{output}: its ending names no known kind", hint=".jsonl, .csv or metadata.jsonl")
    if not _is_metadata(output):
        if _is_metadata(output.lower()):
            raise UsageError(f"{output}: ImageFolder reads metadata.jsonl, in small letters", hint="write it so")
        return
    form = _metadata(output)
    for picture in pictures:
        if not picture.is_file or form.key(picture).startswith("../"):
            raise UsageError(
                f"{picture.path}: is not in the folder of {output}",
                hint="write metadata.jsonl into the pictures' folder",
            )
    if len({picture.is_clip for picture in pictures}) > 1:
        raise UsageError(
            f"{output}: ImageFolder reads pictures alone, VideoFolder clips alone, and here are both",
            hint="leave out --videos or the pictures, or use -o FILE.jsonl",
        )


def _table(output: str, shard: Shard) -> Table:
    """The one file."""
    folder, name = os.path.split(output)
    if output.lower().endswith(".csv"):
        return Table(output, CsvFormat(folder, headed=shard.is_first))
    if not _is_metadata(output):
        return Table(output, RecordFormat(folder))
    return Table(output, _metadata(output), os.path.join(folder, f".{name}.journal"))


def _metadata(output: str) -> MetadataFormat:
    """Rows for ImageFolder, whose names count from the file's own folder."""
    return MetadataFormat(os.path.dirname(output) or ".")
