"""One request after the other: what fails is reported and recorded, and the rest goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from llavacli.failures import Failure, failure, overall
from llavacli.request import Request
from llavacli.streams import Notes, OutputError

if TYPE_CHECKING:
    import llavacli_core as core

Loaded = TypeVar("Loaded", "core.Engine", "core.Processor | core.CaptionProcessor")  # the latter in a dry run


class Show(Protocol):
    """Where failures are shown, besides stderr."""

    def failed(self, request: Request, failure: Failure, info: core.ModelInfo | None) -> None:
        """Show that a request failed; `info` is None when no model was loaded."""


def ask_all(
    requests: Sequence[Request],
    load: Callable[[], Loaded],
    attempt: Callable[[Loaded, Request], None],
    show: Show,
    notes: Notes,
) -> int:
    """Load, `attempt` every request, and give the exit code. Nothing is loaded if no request can succeed."""
    loaded: Loaded | None = None
    if any(request.error() is None for request in requests):
        try:
            loaded = load()
        except Exception as error:
            return _none(requests, error, None, show, notes)
    failures: list[Failure] = []
    for index, request in enumerate(requests):
        try:
            known = request.error()
            if known is not None:
                raise known
            assert loaded is not None  # a request without an error has it loaded
            attempt(loaded, request)
        except OutputError:
            raise
        except Exception as error:
            what = failure(error)
            info = None if loaded is None else loaded.info
            if what.concerns_all:
                return _none(requests[index:], error, info, show, notes)
            notes.error(what.about(request.title) if len(requests) > 1 else what, error)
            show.failed(request, what, info)
            failures.append(what)
    return overall(failures, len(requests))


def _none(requests: Sequence[Request], error: Exception, info: core.ModelInfo | None, show: Show, notes: Notes) -> int:
    """Give up on all `requests` for one error, said once; its exit code."""
    what = failure(error)
    notes.error(what, error)
    for request in requests:
        show.failed(request, what, info)
    return what.exit_code
