"""Messages to a request: pictures and videos opened, the prompt written and laid out. Needs no weights, no torch."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike

import numpy as np

from llavacli_core.checkpoint.files import Description, describe
from llavacli_core.checkpoint.locate import Located, locate
from llavacli_core.engine.placeholders import told_apart
from llavacli_core.engine.prepared import Prepared, PreparedImage, PreparedVideo
from llavacli_core.engine.settled import Settled, settle
from llavacli_core.errors import BadOption, BrokenModel, TemplateError, TooLong
from llavacli_core.events import SeenImage, SeenVideo
from llavacli_core.families.registry import PUBLISHED
from llavacli_core.geometry import image_tokens, video_tokens
from llavacli_core.media.marking import draw
from llavacli_core.media.picture import open_picture
from llavacli_core.media.source import read_source
from llavacli_core.media.tiles import prepare
from llavacli_core.messages import Image, Message, Video
from llavacli_core.options import Sampling
from llavacli_core.prompt.layout import Span, widen, write
from llavacli_core.prompt.template import Template, builtin, builtin_names, find_template, identify
from llavacli_core.prompt.tokenizer import Tokenizer


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """Which checkpoint answers, and how: what a record says of its model. Placement is None before weights are."""

    id: str
    revision: str | None
    family: str
    dtype: str | None
    quant: str | None
    device: str | None
    template: str | None  # None: it takes no prompt
    template_origin: str | None
    max_positions: int

    @property
    def takes_prompt(self) -> bool:
        """Whether there is anything to ask: a captioner takes a picture alone."""
        return self.template is not None


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


class Processor:
    """A checkpoint's words and pictures: tokenizer, template and preprocessing, without its weights."""

    def __init__(self, located: Located, template: str | None = None) -> None:
        self.located = located
        self.description: Description = describe(located.folder)
        self.tokenizer = Tokenizer.from_folder(located.folder)
        self.template = choose_template(located, template)
        model = told_apart(self.description.model, self.tokenizer)
        self.description = replace(self.description, model=model)
        self.image_token = self._token(model.image_token_id, "images")
        self.video_token = None if model.video_token_id is None else self._token(model.video_token_id, "videos")

    @cached_property
    def info(self) -> ModelInfo:
        """Which checkpoint this is; where it would run is not known yet."""
        return ModelInfo(
            id=self.located.id,
            revision=self.located.revision,
            family=self.description.model.family,
            dtype=None,
            quant=None,
            device=None,
            template=identify(self.template),
            template_origin=self.template.origin,
            max_positions=self.description.model.decoder.positions,
        )

    def prepare(self, messages: Sequence[Message], opened: dict[int, Prepared] | None = None) -> Request:
        """Open what is not `opened` yet (by the id of its `Image` or `Video`), write the prompt, lay it out.

        Raises InputError for a picture or a video, TemplateError for a prompt that cannot be written.
        """
        if not messages:
            raise BadOption("there is no message to answer", hint="give at least one")
        started = time.perf_counter()
        opened = {} if opened is None else opened
        sources = [part for message in messages for part in message.parts if not isinstance(part, str)]
        for source in sources:
            if id(source) not in opened:
                opened[id(source)] = self.open(source) if isinstance(source, Image) else self.open_video(source)
        prepared = [opened[id(source)] for source in sources]
        pictures = tuple(each for each in prepared if isinstance(each, PreparedImage))
        clips = tuple(each for each in prepared if isinstance(each, PreparedVideo))
        prompt = write(messages, self.template, self.tokenizer, self.image_token, video_token=self.video_token)
        layout = widen(
            prompt.token_ids,
            self.description.model.image_token_id,
            [picture.seen.tokens for picture in pictures],
            self.description.model.video_token_id,
            [clip.seen.tokens for clip in clips],
        )
        if not layout.token_ids:
            raise TemplateError("the prompt is empty", hint="give a text or a picture")
        return Request(
            prompt_text=prompt.text,
            token_ids=layout.token_ids,
            spans=layout.spans,
            pictures=pictures,
            clips=clips,
            stop_ids=self.description.stop_ids,
            warnings=prompt.warnings,
            prepare_ms=(time.perf_counter() - started) * 1e3,
        )

    def open(self, image: Image) -> PreparedImage:
        """Read a picture, turn it upright, draw its marks, cut and normalise it."""
        source = read_source(image.source)
        tiles = prepare(draw(open_picture(source), image.marks), self.description.images, image.max_tiles)
        model = self.description.model
        self._check_size(tiles.pixels.shape)
        seen = SeenImage(
            source=source.name,
            sha256=source.sha256,
            width=tiles.grid.width,
            height=tiles.grid.height,
            tiles=tiles.grid.tiles,
            tokens=image_tokens(tiles.grid, model),
            marks=tuple(map(str, image.marks)),
        )
        return PreparedImage(source=image, seen=seen, tiles=tiles)

    def open_video(self, video: Video) -> PreparedVideo:
        """Take frames from a video, and crop and normalise each of them."""
        from llavacli_core.media.clip import read_clip  # only those who show videos pay for PyAV

        model, config = self.description.model, self.description.frames
        if config is None:
            raise TemplateError("this model takes no videos", hint="leave it out, or choose a LLaVA-NeXT-Video")
        clip = read_clip(video, default_frames=model.default_frames)
        pixels = np.concatenate([prepare(picture, config).pixels for picture in clip.pictures])
        self._check_size(pixels.shape)
        seen = SeenVideo(
            source=clip.name,
            sha256=clip.sha256,
            width=clip.width,
            height=clip.height,
            frames=clip.frames,
            tokens=video_tokens(len(pixels), model),
        )
        return PreparedVideo(source=video, seen=seen, pixels=pixels)

    def _token(self, token_id: int, use: str) -> str:
        """The tokenizer's name of a placeholder."""
        token = self.tokenizer.token_of(token_id)
        if token is None:
            raise BrokenModel(
                f"{self.located.id}: the tokenizer has no token {token_id}, which config.json gives for {use}",
                hint="tokenizer.json and config.json are of different models",
            )
        return token

    def _check_size(self, shape: tuple[int, ...]) -> None:
        """Refuse tiles or frames [N, 3, H, W] of another size than the tower's."""
        given, wanted = shape[-2:], self.description.model.vision.image_size
        if given != wanted:
            raise BrokenModel(
                f"{self.located.id}: tiles of {given[1]} x {given[0]} pixels for a tower of {wanted[1]} x {wanted[0]}",
                hint="preprocessor_config.json and config.json are of different models",
            )

    def check_fits(self, request: Request) -> None:
        """Raise TooLong unless the prompt leaves room for at least one token."""
        tokens, have = len(request.token_ids), self.description.model.decoder.positions
        if tokens >= have:
            seen = "pictures' and videos'" if request.clips else "pictures'"
            frames = "fewer frames (--frames), " if request.clips else ""
            fewer = f"{frames}fewer pictures, fewer tiles (--max-tiles), or a shorter text"
            raise TooLong(
                f"the prompt has {tokens} tokens, {request.image_tokens} of them {seen}, and this model {have} "
                "positions for prompt and answer",
                hint="shorten the text" if tokens - request.image_tokens >= have else fewer,
            )

    def settled(self, request: Request, sampling: Sampling) -> Settled:
        """What holds for the answer to a request: the sampling, filled in by what the checkpoint asks for."""
        return settle(
            sampling,
            self.description.generation,
            request.stop_ids,
            prompt=len(request.token_ids),
            positions=self.description.model.decoder.positions,
            captions=False,
        )


def choose_template(located: Located, template: str | None) -> Template:
    """The one asked for; else the checkpoint's own; else the dialect of exactly this Hub id; else an error."""
    if template is not None:
        return builtin(template) if template in builtin_names() else Template.from_file(template)
    own = find_template(located.folder)
    if own is not None:
        return own
    if located.id in PUBLISHED:
        return builtin(PUBLISHED[located.id])
    raise TemplateError(
        f"{located.id} brings no chat template", hint=f"choose one: --template {'|'.join(builtin_names())}|FILE"
    )


def load_processor(
    model: str | PathLike[str], *, revision: str | None = None, offline: bool = False, template: str | None = None
) -> Processor:
    """Everything of a checkpoint but its weights, which are not fetched: for prompts, token counts and dry runs."""
    return Processor(locate(model, revision=revision, offline=offline, weights=False), template)
