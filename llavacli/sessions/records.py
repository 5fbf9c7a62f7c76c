"""What a conversation is: its turns, their words and pictures in order, and how it was held. Values, no database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

Kind = Literal["image", "video"]
Role = Literal["user", "assistant"]
TITLE_LENGTH = 80


def now() -> datetime:
    """This moment in UTC, to the millisecond: as exact as it is kept."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A picture or clip of a user's turn, by reference; what only its opening tells is None until then.

    `path` is absolute, or a URL; it is None when the bytes came from the clipboard or stdin, and then `stored` is the
    absolute path of the copy. `marks` are canonical texts. `max_tiles`, `asked_frames` and `asked_fps` were asked for;
    `tiles`, `tokens` and `frames` (the numbers of the frames that were seen) came of it. `label` is the number that
    the words call it by.
    """

    kind: Kind
    name: str  # as the user named it
    path: str | None = None
    stored: str | None = None
    sha256: str | None = None
    width: int | None = None
    height: int | None = None
    tiles: int | None = None
    tokens: int | None = None
    marks: tuple[str, ...] = ()
    frames: tuple[int, ...] = ()
    max_tiles: int | None = None
    asked_frames: int | None = None
    asked_fps: float | None = None
    label: int | None = None

    @property
    def source(self) -> str | None:
        """What to open: the copy if there is one, else the path or URL."""
        return self.path if self.stored is None else self.stored


Part = str | Attachment


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What one side said, in order. Of an answer also how it ended and came about, and the model that gave it."""

    role: Role
    parts: tuple[Part, ...]
    created: datetime = field(default_factory=now)
    finish_reason: str | None = None
    model: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    usage: Mapping[str, Any] = field(default_factory=dict)
    timing_ms: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Its words alone, joined."""
        return "".join(part for part in self.parts if isinstance(part, str))

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """Its pictures and clips alone, in order."""
        return tuple(part for part in self.parts if isinstance(part, Attachment))


@dataclass(frozen=True, kw_only=True)
class Header:
    """How a conversation is held: with which model, template and system prompt, under which settings (JSON values)."""

    model: str
    revision: str | None = None
    template: str | None = None
    system: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """All of a conversation; `id` is None when it is not in the database."""

    id: str | None
    title: str
    created: datetime
    updated: datetime
    header: Header
    turns: tuple[Turn, ...]

    def numbers(self) -> Iterator[int]:
        """The attachments' numbers, in order; those that none was written down of are counted on."""
        highest = 0
        for attachment in (each for turn in self.turns for each in turn.attachments):
            number = attachment.label if attachment.label is not None and attachment.label > 0 else highest + 1
            highest = max(highest, number)
            yield number


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A conversation as a list shows it."""

    id: str
    title: str
    created: datetime
    updated: datetime
    model: str
    turns: int  # of the user's, answered or not
    attachments: int


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A turn that a search found: where it is, and the words around the first that was searched for."""

    id: str
    title: str
    position: int
    role: Role
    created: datetime
    excerpt: str


def title_of(turns: Sequence[Turn]) -> str:
    """What a list calls a conversation: the first words of the user in one line, else the names of the pictures."""
    asked = [turn for turn in turns if turn.role == "user"]
    words = next((words for turn in asked if (words := " ".join(turn.text.split()))), "")
    if not words:
        words = " ".join(", ".join(each.name for turn in asked[:1] for each in turn.attachments).split())
    return words if len(words) <= TITLE_LENGTH else words[: TITLE_LENGTH - 1] + "…"
