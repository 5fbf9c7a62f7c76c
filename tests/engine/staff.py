"""Processes to open pictures in, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from llavacli_core.engine.opening import Open, Opener
from llavacli_core.engine.workers import Limits, Workers


@contextmanager
def staffed(opener: Opener, count: int, limits: Limits | None = None) -> Iterator[Open]:
    """A way to open pictures in processes that end with it."""
    with Workers(count, limits) as workers:
        yield partial(workers.open, opener)
