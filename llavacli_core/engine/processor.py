"""Messages to a request: pictures opened and tiled, the prompt written and laid out. Needs no weights and no torch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike

from llavacli_core.checkpoint.files import Description, describe
from llavacli_core.checkpoint.locate import Located, locate
from llavacli_core.errors import BrokenModel, TemplateError, TooLong
from llavacli_core.events import SeenImage
from llavacli_core.families.registry import PUBLISHED
from llavacli_core.geometry import image_tokens
from llavacli_core.media.picture import open_picture
from llavacli_core.media.source import read_source
from llavacli_core.media.tiles import Tiles, prepare
from llavacli_core.messages import Image, Message
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
    template: str
    template_origin: str
    max_positions: int


@dataclass(frozen=True, kw_only=True)
class PreparedImage:
    """A picture ready for the tower, and how it entered the prompt."""

    image: Image  # held, so that no other image can come by its id while this one is looked up by it
    seen: SeenImage
    tiles: Tiles

    @property
    def key(self) -> str:
        """The picture by content and by the way it was cut, which `max_tiles` may change."""
        return f"{self.seen.sha256}/{self.tiles.grid.rows}x{self.tiles.grid.cols}"


@dataclass(frozen=True, kw_only=True)
class Request:
    """A conversation ready for the network: ids with every picture widened to its tokens, and the pictures' tiles."""

    prompt_text: str
    token_ids: tuple[int, ...]
    spans: tuple[Span, ...]  # of each picture's tokens, in order
    pictures: tuple[PreparedImage, ...]
    stop_ids: tuple[int, ...]
    warnings: tuple[str, ...]
    prepare_ms: float

    @property
    def images(self) -> tuple[SeenImage, ...]:
        """The pictures as they entered the prompt, in order."""
        return tuple(picture.seen for picture in self.pictures)

    @property
    def image_tokens(self) -> int:
        """How many of the prompt's tokens are pictures'."""
        return sum(span.length for span in self.spans)


class Processor:
    """A checkpoint's words and pictures: tokenizer, template and preprocessing, without its weights."""

    def __init__(self, located: Located, template: str | None = None) -> None:
        self.located = located
        self.description: Description = describe(located.folder)
        self.tokenizer = Tokenizer.from_folder(located.folder)
        self.template = choose_template(located, template)
        image_token = self.tokenizer.token_of(self.description.model.image_token_id)
        if image_token is None:
            raise BrokenModel(
                f"{located.id}: the tokenizer has no token {self.description.model.image_token_id}, "
                "which config.json gives for images",
                hint="tokenizer.json and config.json are of different models",
            )
        self.image_token = image_token

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
            max_positions=self.description.model.decoder.max_position_embeddings,
        )

    def prepare(self, messages: Sequence[Message], opened: dict[int, PreparedImage] | None = None) -> Request:
        """Open what is not `opened` yet (by the id of its `Image`), write the prompt, lay it out.

        Raises InputError for a picture, TemplateError for a prompt that cannot be written.
        """
        started = time.perf_counter()
        opened = {} if opened is None else opened
        pictures = []
        for image in (image for message in messages for image in message.images):
            if id(image) not in opened:
                opened[id(image)] = self.open(image)
            pictures.append(opened[id(image)])
        image_token_id = self.description.model.image_token_id
        prompt = write(messages, self.template, self.tokenizer, self.image_token)
        layout = widen(prompt.token_ids, image_token_id, [picture.seen.tokens for picture in pictures])
        if not layout.token_ids:
            raise TemplateError("the prompt is empty", hint="give a text or a picture")
        return Request(
            prompt_text=prompt.text,
            token_ids=layout.token_ids,
            spans=layout.spans,
            pictures=tuple(pictures),
            stop_ids=self.description.stop_ids,
            warnings=prompt.warnings,
            prepare_ms=(time.perf_counter() - started) * 1e3,
        )

    def open(self, image: Image) -> PreparedImage:
        """Read a picture, turn it upright, cut and normalise it."""
        source = read_source(image.source)
        tiles = prepare(open_picture(source), self.description.images, image.max_tiles)
        model = self.description.model
        given, wanted = tiles.pixels.shape[-2:], model.vision.image_size
        if given != wanted:
            raise BrokenModel(
                f"{self.located.id}: tiles of {given[1]} x {given[0]} pixels for a tower of {wanted[1]} x {wanted[0]}",
                hint="preprocessor_config.json and config.json are of different models",
            )
        seen = SeenImage(
            source=source.name,
            sha256=source.sha256,
            width=tiles.grid.width,
            height=tiles.grid.height,
            tiles=tiles.grid.tiles,
            tokens=image_tokens(tiles.grid, model),
        )
        return PreparedImage(image=image, seen=seen, tiles=tiles)

    def check_fits(self, request: Request) -> None:
        """Raise TooLong unless the prompt leaves room for at least one token."""
        tokens, have = len(request.token_ids), self.description.model.decoder.max_position_embeddings
        if tokens >= have:
            fewer = "fewer pictures, fewer tiles (--max-tiles), or a shorter text"
            raise TooLong(
                f"the prompt has {tokens} tokens, {request.image_tokens} of them pictures', and this model {have} "
                "positions for prompt and answer",
                hint="shorten the text" if tokens - request.image_tokens >= have else fewer,
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
