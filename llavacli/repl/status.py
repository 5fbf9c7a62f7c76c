"""The line below the prompt: model, context used, speed of the last answer, what waits to be sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from llavacli.render.text import escaped

SEPARATOR = " · "


@dataclass(frozen=True, kw_only=True)
class Status:
    """What the line tells."""

    model: str
    used: int
    total: int
    speed: float | None  # tokens per second of the last answer
    waiting: int  # attachments that the next turn will carry


def status_line(status: Status, width: int) -> str:
    """The line, without what does not fit: first goes the speed, and the model's name is cut last."""
    parts = dict(_parts(status))
    for optional in ("speed", "context", "waiting"):
        line = SEPARATOR.join(parts.values())
        if len(line) <= width:
            return line
        parts.pop(optional, None)
    return parts["model"][:width]


def _parts(status: Status) -> Iterator[tuple[str, str]]:
    """The parts from left to right."""
    yield "model", escaped(status.model, lines=False)
    yield "context", f"{status.used:,}/{status.total:,} tokens"
    if status.speed is not None:
        yield "speed", f"{status.speed:.3g} tokens/s" if status.speed < 100 else f"{status.speed:.0f} tokens/s"
    if status.waiting:
        yield "waiting", f"{status.waiting} attached"
