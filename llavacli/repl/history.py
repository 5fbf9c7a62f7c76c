"""What was typed in earlier chats: a file in the user's state folder that nobody else may read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prompt_toolkit.history import History


def history_file() -> Path:
    """Where the history is kept, whether it exists or not."""
    import platformdirs

    return platformdirs.user_state_path("llavacli", appauthor=False) / "history"


def history(*, kept: bool) -> tuple[History, OSError | None]:
    """The history, and what keeps it from being kept, if anything; entries of several lines stay whole."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    if not kept:
        return InMemoryHistory(), None
    path = history_file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600))
        path.chmod(0o600)
    except OSError as error:
        return InMemoryHistory(), error
    return FileHistory(path), None
