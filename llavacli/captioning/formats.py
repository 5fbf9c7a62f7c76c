"""How captions are written into one file: records, CSV, or the Hub's metadata.jsonl."""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import posixpath
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from llavacli.captioning.imagefolder import obstacle
from llavacli.captioning.ledger import lines
from llavacli.captioning.outcome import Outcome
from llavacli.captioning.picture import Picture
from llavacli.captioning.places import Places
from llavacli.captioning.provenance import LENGTH
from llavacli.render import record

LONGEST = 2**31 - 1  # characters of a value in CSV: a prompt may have more than the module's 131072
SEPARATORS = {";": "semicolons", "\t": "tabs"}  # of spreadsheets, in countries where the comma is in numbers
COLUMNS = ("source", "text", "prompt", "finish_reason", "error", "model", "revision", "file", "fingerprint")
MADE_BY, PLACE = "fingerprint", "file"  # keys behind a record's own
KEYS = {*record.empty(source=None, prompt=None, system=None, model={}, params={}, tokens=True), MADE_BY, PLACE}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What a row says: of which picture it is, and what made the caption, or the code of the error in its place."""

    key: str
    prompt: str | None
    text: str | None
    fingerprint: str | None
    error: str | None = None
    beside: Mapping[str, Any] = field(default_factory=dict)  # columns that are none of ours, and stay


class Strange(Exception):
    """A row that no run of ours has written; `remedy` is what can be done about it, where that is known."""

    def __init__(self, remedy: str | None = None) -> None:
        super().__init__(remedy)
        self.remedy = remedy


class Format(Protocol):
    """Rows of one kind."""

    @property
    def header(self) -> bytes:
        """What a new file begins with."""

    def key(self, picture: Picture) -> str:
        """What rows call a picture."""

    def split(self, data: bytes) -> tuple[list[bytes], bytes]:
        """A file's whole rows, and the torn rest."""

    def entry(self, row: bytes) -> Entry | None:
        """What a row says; None for one that says nothing. Raises Strange."""

    def may_begin(self, torn: bytes) -> bool:
        """Whether what there is of a file's first row looks like one of ours."""

    def is_whole(self, torn: bytes) -> bool:
        """Whether a last row lacks nothing but its end, as when people have edited the file."""

    def row(self, outcome: Outcome, beside: Mapping[str, Any]) -> bytes | None:
        """An outcome's row, with what stood beside the one that it replaces; None for one that gets none."""


class RecordFormat:
    """The contract's records; behind these keys, what made them, and where the picture is if `source` does not tell."""

    header = b""
    split = staticmethod(lines)

    def __init__(self, folder: str) -> None:
        self._places = Places(folder)

    def key(self, picture: Picture) -> str:
        """See Format."""
        return self._places.of(picture.path)

    def entry(self, row: bytes) -> Entry | None:
        """See Format."""
        found = _json(row)
        if found is None:
            return None
        if found.get("schema") != record.SCHEMA or not isinstance(found.get("source"), str):
            raise Strange
        text = found.get("text") if found.get("status") == "ok" else None
        error = found.get("error")
        return Entry(
            key=self._places.read(found.get(PLACE), found["source"]),
            prompt=found.get("prompt"),
            text=text,
            fingerprint=found.get(MADE_BY),
            error=error.get("code") if isinstance(error, dict) else None,
            beside={name: value for name, value in found.items() if name not in KEYS},
        )

    def may_begin(self, torn: bytes) -> bool:
        """See Format."""
        start = f'{{"schema":"{record.SCHEMA}"'.encode()
        return torn.startswith(start) or start.startswith(torn)

    def is_whole(self, torn: bytes) -> bool:
        """See Format."""
        return _is_json(torn)

    def row(self, outcome: Outcome, beside: Mapping[str, Any]) -> bytes | None:
        """See Format."""
        written = self._places.written(outcome.item.picture.path)
        place = {} if written is None else {PLACE: written}
        made = {**outcome.record, MADE_BY: outcome.fingerprint, **place}
        return record.line({**made, **beside}, strict=not beside).encode()


class CsvFormat:
    """Comma-separated values under a header, which only the first shard writes: shards, put together, are one file."""

    def __init__(self, folder: str, *, headed: bool) -> None:
        self._places = Places(folder)
        csv.field_size_limit(LONGEST)
        self.header = _csv_row(COLUMNS) if headed else b""
        self._columns: tuple[str, ...] = COLUMNS  # until a header says otherwise
        self._end = b"\n"

    def key(self, picture: Picture) -> str:
        """See Format."""
        return self._places.of(picture.path)

    def split(self, data: bytes) -> tuple[list[bytes], bytes]:
        """See Format. A row ends where a line does, unless that is within quotes."""
        rows, begun, quotes = list[bytes](), list[bytes](), 0
        ended, torn = lines(data)
        for line in ended:
            begun.append(line)
            quotes += line.count(b'"')
            if quotes % 2 == 0:
                rows.append(b"".join(begun))
                begun.clear()
        return rows, b"".join([*begun, torn])

    def entry(self, row: bytes) -> Entry | None:
        """See Format."""
        if not row.strip():
            return None
        if b"\0" in row and row.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise Strange("save it as UTF-8")
        line = row.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
        try:
            (values,) = csv.reader([line])
            if {*COLUMNS} <= {*values}:  # in whatever order someone has put them, and with whatever columns beside
                self._take_header(values, line)
                return None
            found = dict(zip(self._columns, values, strict=True))
        except (ValueError, csv.Error) as error:
            raise Strange(_remedy(line)) from error
        return Entry(
            key=self._places.read(found["file"], found["source"]),
            prompt=found["prompt"] or None,
            text=None if found["error"] else found["text"],
            fingerprint=found["fingerprint"] or None,
            error=found["error"] or None,
            beside={name: value for name, value in found.items() if name not in COLUMNS},
        )

    def _take_header(self, values: list[str], line: str) -> None:
        """From here on, rows have these columns, and end as this line does."""
        if len({*values}) < len(values):
            raise Strange("give each column a name of its own")
        self._columns, self._end = tuple(values), b"\r\n" if line.endswith("\r\n") else b"\n"

    def may_begin(self, torn: bytes) -> bool:
        """See Format. Without a header, nothing tells."""
        return not self.header or self.header.startswith(torn)

    def is_whole(self, torn: bytes) -> bool:
        """See Format. Our last column is of one length: a row that was torn in it is not taken for whole.

        Where someone has put another column last, a row is whole that has as many values as there are columns.
        """
        try:
            entry = self.entry(torn + b"\n")
        except Strange:
            return False
        if entry is None or self._columns[-1] != COLUMNS[-1]:
            return entry is not None
        return entry.fingerprint is not None and len(entry.fingerprint) == LENGTH

    def row(self, outcome: Outcome, beside: Mapping[str, Any]) -> bytes | None:
        """See Format."""
        made = outcome.record
        values = {name: made.get(name) for name in COLUMNS}
        values |= {"model": made["model"]["id"], "revision": made["model"]["revision"]}
        values |= {"file": self._places.written(outcome.item.picture.path)}
        values |= {"error": outcome.failure and outcome.failure.code, "fingerprint": outcome.fingerprint}
        values |= beside
        written = (values.get(name) for name in self._columns)
        return _csv_row(tuple("" if value is None else str(value) for value in written), self._end)


class MetadataFormat:
    """What ImageFolder of the `datasets` library reads: file_name, from the file's own folder, and text."""

    header = b""
    split = staticmethod(lines)

    def __init__(self, folder: str) -> None:
        self._folder = os.path.abspath(folder)

    def key(self, picture: Picture) -> str:
        """See Format."""
        return os.path.relpath(os.path.abspath(picture.path), self._folder).replace(os.sep, "/")

    def checked(self, picture: Picture) -> Picture:
        """The picture, its error that `datasets` would not find it, or even could not read the file, by this name."""
        import llavacli_core as core

        what = obstacle(self.key(picture))
        if picture.error is not None or what is None:
            return picture
        error = core.errors.UnsuitableOption(
            f"{picture.path}: the datasets library takes no name {what}", hint="rename it, or use -o FILE.jsonl"
        )
        return replace(picture, error=error)

    def entry(self, row: bytes) -> Entry | None:
        """See Format."""
        found = _json(row)
        if found is None:
            return None
        name, text = found.pop("file_name", None), found.pop("text", None)
        if not isinstance(name, str) or not isinstance(text, str | None):
            raise Strange
        return Entry(key=posixpath.normpath(name), prompt=None, text=text, fingerprint=None, beside=found)

    def may_begin(self, torn: bytes) -> bool:
        """See Format."""
        return torn.startswith(b'{"file_name":') or b'{"file_name":'.startswith(torn)

    def is_whole(self, torn: bytes) -> bool:
        """See Format."""
        return _is_json(torn)

    def row(self, outcome: Outcome, beside: Mapping[str, Any]) -> bytes | None:
        """See Format."""
        if outcome.text is None:
            return None
        ours = {"file_name": self.key(outcome.item.picture), "text": outcome.text.strip()}
        return record.line({**ours, **beside}, strict=False).encode()


def _is_json(torn: bytes) -> bool:
    """Whether it is a whole object."""
    try:
        return _json(torn) is not None
    except Strange:
        return False


def _json(row: bytes) -> dict[str, Any] | None:
    """A line's object; None for an empty line."""
    if not row.strip():
        return None
    try:
        found = json.loads(row)
    except ValueError as error:
        raise Strange from error
    if not isinstance(found, dict):
        raise Strange
    return found


def _remedy(line: str) -> str | None:
    """What to do about a row that is one of ours but for what separates its values."""
    for separator, name in SEPARATORS.items():
        with suppress(ValueError, csv.Error):
            (values,) = csv.reader([line], delimiter=separator)
            if len(values) >= len(COLUMNS):
                return f"save it with commas between values, not with {name} as Excel does in some countries"
    return None


def _csv_row(values: tuple[str, ...], end: bytes = b"\n") -> bytes:
    """One row; bytes of file names that are no UTF-8 are those bytes again."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(values)  # what is in it is quoted: a return by itself, too
    return text.getvalue().removesuffix("\r\n").encode("utf-8", "surrogateescape") + end
