"""Messages to a request: pictures and videos opened, the prompt written and laid out. Needs no weights, no torch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain

from llavacli_core.checkpoint.files import Description
from llavacli_core.engine.info import ModelInfo
from llavacli_core.engine.opening import Open, Opener
from llavacli_core.engine.placeholders import told_apart
from llavacli_core.engine.prepared import Prepared, PreparedImage, PreparedVideo
from llavacli_core.engine.request import Request
from llavacli_core.engine.settled import Settled, settle
from llavacli_core.errors import BrokenModel, TemplateError, TooLong
from llavacli_core.families.registry import PUBLISHED
from llavacli_core.hub.locate import Located
from llavacli_core.messages import Message, listed
from llavacli_core.options import Sampling
from llavacli_core.prompt.layout import widen, write
from llavacli_core.prompt.template import Template, builtin, builtin_names, find_template, identify
from llavacli_core.prompt.tokenizer import Tokenizer


class Processor:
    """A checkpoint's words and pictures: tokenizer, template and preprocessing, without its weights."""

    def __init__(self, located: Located, description: Description, template: str | None = None) -> None:
        self.located = located
        self.tokenizer = Tokenizer.from_folder(located.folder)
        self.template = choose_template(located, template)
        model = told_apart(description.model, self.tokenizer)
        self.description = replace(description, model=model)
        self.image_token = self._token(model.image_token_id, "images")
        self.video_token = None if model.video_token_id is None else self._token(model.video_token_id, "videos")

    @cached_property
    def info(self) -> ModelInfo:
        """Which checkpoint this is; where it would run is not known yet."""
        return ModelInfo(
            id=self.located.id,
            revision=self.located.revision,
            family=self.description.model.family,
            template=identify(self.template),
            template_origin=self.template.origin,
            max_positions=self.description.model.decoder.positions,
            takes_videos=self.description.frames is not None,
            several_images=self.description.family.takes_several(self.located.id),
        )

    @cached_property
    def opener(self) -> Opener:
        """How this checkpoint wants its pictures and videos."""
        model = self.description.model
        return Opener(
            checkpoint=self.located.id,
            images=self.description.images,
            frames=self.description.frames,
            tile=model.vision.image_size,
            model=model,
        )

    def prepare(
        self, messages: Sequence[Message], opened: dict[int, Prepared] | None = None, *, open: Open | None = None
    ) -> Request:
        """Open what is not `opened` yet (by the id of its `Image` or `Video`), write the prompt, lay it out.

        `open` does as `opener.open` does, in its own way, such as in another process.

        Raises InputError for a picture or a video, TemplateError for a prompt that cannot be written.
        """
        messages = listed(messages)
        started = time.perf_counter()
        opened, open = {} if opened is None else opened, open or self.opener.open
        sources = [part for message in messages for part in message.parts if not isinstance(part, str)]
        for source in sources:
            if id(source) not in opened:
                opened[id(source)] = open(source)
        prepared, generation = [opened[id(source)] for source in sources], self.description.generation
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
            warnings=(*chain.from_iterable(clip.warnings for clip in clips), *prompt.warnings, *generation.warnings),
            prepare_ms=(time.perf_counter() - started) * 1e3,
        )

    def _token(self, token_id: int, use: str) -> str:
        """The tokenizer's name of a placeholder."""
        token = self.tokenizer.token_of(token_id)
        if token is None:
            raise BrokenModel(
                f"{self.located.id}: the tokenizer has no token {token_id}, which config.json gives for {use}",
                hint="tokenizer.json and config.json are of different models",
            )
        return token

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
