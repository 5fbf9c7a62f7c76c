"""Completion of what only we know: models, shapes of marks, conversations. It must be quick: no torch, no Hub."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing


def mark_shapes(incomplete: str) -> list[str]:
    """The shapes of marks, each up to its coordinates."""
    import llavacli_core as core

    return [f"{shape}:" for shape in core.Mark.SHAPES if shape.startswith(incomplete)]


def model_names(incomplete: str) -> list[str]:
    """Names of models that begin with what is typed: aliases, what the shared cache holds, and folders.

    For what looks like a path, the shell completes by itself.
    """
    if incomplete.startswith((".", "/", "~")):
        return []
    import llavacli_core as core

    names = ["demo", *core.aliases(), *core.cached_ids(), *_folders(incomplete)]
    return sorted({name for name in names if name.startswith(incomplete)})


def session_ids(incomplete: str) -> list[str]:
    """Ids of kept conversations that begin with what is typed, the latest first."""
    from llavacli.sessions.errors import StoreError
    from llavacli.sessions.store import Store

    try:
        with closing(Store.open()) as store:
            return [each.id for each in store.list() if each.id.startswith(incomplete)]
    except StoreError:
        return []


def _folders(incomplete: str) -> Iterator[str]:
    """Folders that hold a checkpoint, or may hold one further down once a slash is typed."""
    parent = os.path.dirname(incomplete)
    try:
        entries = [entry.name for entry in os.scandir(parent or ".") if entry.is_dir()]
    except OSError:
        return
    for name in entries:
        path = os.path.join(parent, name)
        if os.path.isfile(os.path.join(path, "config.json")):
            yield path
