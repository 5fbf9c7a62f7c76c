"""What can go wrong with conversations that are kept."""

from __future__ import annotations

from llavacli.failures import UsageError


class KeptError(Exception):
    """The root: `hint` is the next step (or None), `code` its name in records."""

    code = "input_unreadable"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class StoreError(KeptError):
    """The database of conversations cannot be read or written; a chat can go on without it."""


class DocumentError(KeptError):
    """A file is not a conversation that was exported as JSON."""


class UnknownSession(UsageError):
    """No conversation, or more than one, goes by this id."""
