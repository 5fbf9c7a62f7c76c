"""What a conversation comes to before it meets the network: ids, and the pixels of its pictures and videos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from llavacli_core.engine.prepared import Prepared, PreparedImage, PreparedVideo
from llavacli_core.events import SeenImage, SeenVideo
from llavacli_core.prompt.layout import Span


@dataclass(frozen=True, kw_only=True)
class Request:
    """A conversation ready for the network: ids with pictures and videos widened to their tokens, and the pixels."""

    prompt_text: str
    token_ids: tuple[int, ...]
    spans: tuple[Span, ...]  # of each picture's and each video's tokens, in the prompt's order
    pictures: tuple[PreparedImage, ...]
    clips: tuple[PreparedVideo, ...]
    stop_ids: tuple[int, ...]
    warnings: tuple[str, ...]
    prepare_ms: float
    said: tuple[int, ...] = ()  # the last of `token_ids`: an answer begun before, to be gone on with

    @property
    def images(self) -> tuple[SeenImage, ...]:
        """The pictures as they entered the prompt, in order."""
        return tuple(picture.seen for picture in self.pictures)

    @property
    def videos(self) -> tuple[SeenVideo, ...]:
        """The videos as they entered the prompt, in order."""
        return tuple(clip.seen for clip in self.clips)

    @property
    def placed(self) -> tuple[tuple[Span, Prepared], ...]:
        """Every picture and every video with its tokens, in the prompt's order."""
        left: dict[str, Iterator[Prepared]] = {"image": iter(self.pictures), "video": iter(self.clips)}
        return tuple((span, next(left[span.kind])) for span in self.spans)

    @property
    def image_tokens(self) -> int:
        """How many of the prompt's tokens are pictures' and videos'."""
        return sum(span.length for span in self.spans)

    @property
    def first_seen(self) -> int:
        """Positions up to the end of what is seen first; 0 where nothing is."""
        return self.spans[0].start + self.spans[0].length if self.spans else 0

    def beginning(self, length: int) -> Request:
        """Its first positions, with what is seen in them."""
        spans = tuple(span for span in self.spans if span.start < length)
        kinds = [span.kind for span in spans]
        return replace(
            self,
            token_ids=self.token_ids[:length],
            spans=spans,
            pictures=self.pictures[: kinds.count("image")],
            clips=self.clips[: kinds.count("video")],
        )

    def going_on(self, said: Sequence[int]) -> Request:
        """The same with more of its answer said."""
        return replace(self, token_ids=(*self.token_ids, *said))
