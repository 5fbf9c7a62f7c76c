"""Captions on stdout: `path<TAB>caption` lines, or records."""

from __future__ import annotations

import os
import re

from llavacli.captioning.outcome import Outcome
from llavacli.captioning.wording import on_one_line
from llavacli.render import record
from llavacli.render.text import escaped
from llavacli.streams import Output

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_ESCAPED = re.compile(r"[\\\t\n\r]")


class Printed:
    """stdout keeps nothing for the next run."""

    def __init__(self, output: Output, *, records: bool) -> None:
        self._output, self._records = output, records

    def put(self, outcome: Outcome) -> None:
        """See Sink."""
        if self._records:
            self._output.write(record.line({**outcome.record, "fingerprint": outcome.fingerprint}))
        elif outcome.text is not None:
            self._output.write(self._line(outcome.item.picture.path, outcome.text))

    def close(self, *, finished: bool) -> None:
        """See Sink."""

    def _line(self, path: str, text: str) -> str:
        """A line; tab, newline, return and backslash of a path are escaped, so that it can be had back."""
        path = path if os.sep == "\\" else _ESCAPED.sub(lambda match: _ESCAPES[match[0]], path)
        caption = on_one_line(text)
        if self._output.is_terminal:
            path, caption = escaped(path), escaped(caption)
        return f"{path}\t{caption}\n"
