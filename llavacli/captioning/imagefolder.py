"""Names that ImageFolder of the `datasets` library cannot read: it fails on a folder for one of these (seen of 5.2)."""

from __future__ import annotations

import os
import re

_CHAINED = re.compile(r"[^/]::")  # `zip://a.png::b.zip` is a.png within b.zip, as fsspec spells it
_NO_UTF8 = re.compile("[\udc80-\udcff]")


def obstacle(name: str) -> str | None:
    """What keeps a name in metadata.jsonl from being read; None if it can be."""
    if _NO_UTF8.search(name):
        return "that is no UTF-8"
    if "\\" in name:
        return "with a backslash"
    if _CHAINED.search(name):
        return "with :: in it"
    if os.path.expandvars(name) != name:  # as the library does before it opens a file
        return "that holds a variable of the environment, which it would fill in"
    return None
