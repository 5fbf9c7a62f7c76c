"""What a conversation is made of: attachments with numbers of their own, and turns that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from llavacli.render.text import placeholder
from llavacli.request import Question
from llavacli.sessions import records
from llavacli.sources import Source

if TYPE_CHECKING:
    import llavacli_core as core

    Seen = core.SeenImage | core.SeenVideo


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A picture or a clip, numbered within its conversation; pictures and clips share the numbers.

    `seen` is how it enters the prompt, once that is known. `missing`: it was there when the conversation was saved.
    """

    number: int
    source: Source
    part: core.Image | core.Video
    seen: Seen | None = None
    missing: bool = False
    stored: str | None = None  # the store's copy, of what had no file

    @property
    def label(self) -> str:
        """What stands for it in the text: `[Image #1]`."""
        return placeholder(self.number, "video" if self.source.is_clip else "image")

    @property
    def described(self) -> str:
        """It in a line: `[Image #1] cat.jpg, 640x480, 2144 tokens`."""
        known = [f"{self.label} {self.source.name}"]
        if self.seen is not None:
            frames = getattr(self.seen, "frames", ())
            known += [f"{self.seen.width}x{self.seen.height}", *([f"{len(frames)} frames"] if frames else [])]
            known.append(f"{self.seen.tokens} tokens")
        return ", ".join(known)

    @property
    def content(self) -> tuple[object, ...] | None:
        """What tells whether it was encoded already: its content and the way it was cut; None while unknown."""
        if self.seen is None:
            return None
        cut = getattr(self.seen, "frames", None) or (getattr(self.seen, "tiles", 0), getattr(self.seen, "marks", ()))
        return (self.seen.sha256, cut)


@dataclass(kw_only=True)
class Turn:
    """What the user said and, once it is there, the answer.

    `text` is as it was typed, `parts` what the model gets of it. `left_out`: the context has no more room for it.
    """

    text: str
    attachments: tuple[Attachment, ...]
    parts: tuple[core.Image | core.Video | str, ...]
    question: Question
    answer: core.Message | None = None
    finish_reason: core.events.FinishReason | None = None
    done: core.Done | None = None  # None too for a turn that was restored
    kept: records.Turn | None = None  # the answer as it is written down
    created: datetime = field(default_factory=records.now)
    left_out: bool = False

    @property
    def messages(self) -> list[core.Message]:
        """What the model is shown of it."""
        import llavacli_core as core

        user = core.Message("user", self.parts)
        return [user] if self.answer is None else [user, self.answer]

    @property
    def shown(self) -> tuple[Attachment, ...]:
        """The attachments that the model gets."""
        return tuple(attachment for attachment in self.attachments if not attachment.missing)


@dataclass(frozen=True)
class Notice:
    """Something the user should know before the answer comes; of one `topic`, it is said once in a conversation."""

    text: str
    topic: str | None = None


@dataclass(kw_only=True)
class Tally:
    """What the answers of a session came to. Times are milliseconds."""

    answers: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    prefill: float = 0.0
    decode: float = 0.0
    encoded: int = 0  # pictures and clips that went through the tower
    reused: int = 0  # those whose features were there already
    held: frozenset[object] = field(default_factory=frozenset)  # contents that the last prompt had

    def add(self, done: core.Done, attachments: Sequence[Attachment]) -> Tally:
        """The sum with one more answer, whose prompt had these attachments."""
        contents = [attachment.content for attachment in attachments]
        present = frozenset(contents)
        new = present - self.held
        return Tally(
            answers=self.answers + 1,
            prompt_tokens=self.prompt_tokens + done.usage.prompt_tokens,
            cached_tokens=self.cached_tokens + done.usage.cached_tokens,
            completion_tokens=self.completion_tokens + done.usage.completion_tokens,
            prefill=self.prefill + done.timing.prefill,
            decode=self.decode + done.timing.decode,
            encoded=self.encoded + len(new),
            reused=self.reused + len(contents) - len(new),
            held=present,
        )


def measured(turns: Sequence[Turn], done: core.Done) -> list[Attachment]:
    """Have each attachment of the turns know how it entered the prompt of an answer; those that did, in its order."""
    images, videos = iter(done.images), iter(done.videos)
    shown: list[Attachment] = []
    for turn in turns:
        if turn.left_out:
            continue
        of_part = {id(each.part): each for each in turn.shown}
        known: dict[int, Attachment] = {}
        for part in turn.parts:
            if id(part) in of_part:
                each = of_part[id(part)]
                known[each.number] = replace(each, seen=next(videos) if each.source.is_clip else next(images))
        turn.attachments = tuple(known.get(each.number, each) for each in turn.attachments)
        shown += known.values()
    return shown
