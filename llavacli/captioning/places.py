"""Where a picture is, and how a row says it: from the folder of the row's own file, so that both may move together."""

from __future__ import annotations

import os
from functools import cache

from llavacli.failures import folder_is_gone
from llavacli.sources import STDIN, is_url


class Places:
    """Places of pictures for the rows of a file in `folder`, whatever folder one is in and however paths are spelt."""

    def __init__(self, folder: str) -> None:
        try:
            self._folder = os.path.realpath(folder)
        except OSError as error:
            raise folder_is_gone() from error
        self._real = cache(os.path.realpath)

    def of(self, source: str) -> str:
        """The path of a source by no link but its own; of a URL, and of stdin, the source itself."""
        if not _is_file(source):
            return source
        folder, name = os.path.split(source)
        return os.path.join(self._real(folder), name)

    def written(self, source: str) -> str | None:
        """What a row has beside its source; None where that leads there from the file's folder as it is."""
        if not _is_file(source):
            return None
        path = self.of(source)
        if self.of(os.path.join(self._folder, source)) == path:
            return None
        try:
            return os.path.relpath(path, self._folder)
        except ValueError:  # on another drive
            return path

    def read(self, written: object, source: str) -> str:
        """What a row says. Where that leads nowhere, since the file was moved alone, its `source` counts as typed."""
        if not _is_file(source):
            return source
        named = written if isinstance(written, str) and written and "\0" not in written else source
        path = os.path.join(self._folder, named)
        return self.of(path) if os.path.lexists(path) else self.of(source)


def _is_file(source: str) -> bool:
    return source != STDIN and not is_url(source) and "\0" not in source
