"""A captioner's side of a request: one picture and no words. Needs no weights, no torch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property

from llavacli_core.checkpoint.files import CaptionerDescription
from llavacli_core.engine.info import ModelInfo
from llavacli_core.engine.opening import Open, Opener
from llavacli_core.engine.prepared import Prepared, PreparedImage
from llavacli_core.engine.request import Request
from llavacli_core.engine.settled import Settled, settle
from llavacli_core.errors import BadOption, BrokenModel, InputError, TooLong
from llavacli_core.hub.locate import Located
from llavacli_core.messages import Image, Message, listed
from llavacli_core.options import Sampling
from llavacli_core.prompt.tokenizer import Tokenizer

WORDLESS = "leave the words out"


class CaptionProcessor:
    """A captioner's tokenizer and preprocessing, without its weights."""

    def __init__(self, located: Located, description: CaptionerDescription) -> None:
        self.located, self.description = located, description
        self.tokenizer = Tokenizer.from_folder(located.folder)

    @cached_property
    def info(self) -> ModelInfo:
        """Which checkpoint this is; where it would run is not known yet."""
        return ModelInfo(
            id=self.located.id,
            revision=self.located.revision,
            family=self.description.model.family,
            template=None,
            template_origin=None,
            max_positions=self.description.model.decoder.positions,
        )

    @cached_property
    def opener(self) -> Opener:
        """How this checkpoint wants its pictures."""
        return Opener(
            checkpoint=self.located.id,
            images=self.description.images,
            frames=None,
            tile=self.description.model.encoder.image_size,
            model=None,
        )

    def prepare(
        self, messages: Sequence[Message], opened: dict[int, Prepared] | None = None, *, open: Open | None = None
    ) -> Request:
        """Open the one picture there is (unless it is among those `opened`, by the id of its `Image`).

        `open` does as `opener.open` does, in its own way, such as in another process.

        Raises BadOption for anything but a single user message that holds a single image, InputError for a picture.
        """
        started = time.perf_counter()
        image = self._lone_image(messages)
        opened, open = {} if opened is None else opened, open or self.opener.open
        if id(image) not in opened:
            opened[id(image)] = open(image)
        picture = opened[id(image)]
        assert isinstance(picture, PreparedImage)
        return Request(
            prompt_text="",
            token_ids=(self._start_id(),),
            spans=(),
            pictures=(picture,),
            clips=(),
            stop_ids=self.description.stop_ids,
            warnings=self.description.generation.warnings,
            prepare_ms=(time.perf_counter() - started) * 1e3,
        )

    def check_fits(self, request: Request) -> None:
        """Raise TooLong unless what the caption begins with leaves room for a token: a long one may be gone on with."""
        tokens, have = len(request.token_ids), self.description.model.decoder.positions
        if tokens >= have:
            raise TooLong(
                f"the caption has {tokens} tokens, and this model has {have} positions", hint="caption the picture anew"
            )

    def settled(self, request: Request, sampling: Sampling) -> Settled:
        """What holds for the answer to a request: the sampling, filled in by what the checkpoint asks for."""
        return settle(
            sampling,
            self.description.generation,
            request.stop_ids,
            prompt=len(request.token_ids),
            positions=self.description.model.decoder.positions,
            captions=True,
        )

    def _lone_image(self, messages: Sequence[Message]) -> Image:
        """The one image of a request that holds nothing else; captions written before do not matter."""
        messages = listed(messages)
        answers = [place for place, message in enumerate(messages) if message.role == "assistant"]
        messages = messages[answers[-1] + 1 :] if answers else messages
        if any(message.role == "system" for message in messages):
            raise BadOption("this model writes captions, and takes no system prompt", hint=WORDLESS)
        if any(message.text for message in messages):
            raise BadOption("this model writes captions without a prompt", hint=WORDLESS)
        parts = [part for message in messages for part in message.parts if not isinstance(part, str)]
        if len(parts) != 1:
            hint = "give one picture at a time" if parts else "give a picture"
            raise BadOption(f"this model captions one picture at a time, not {len(parts)}", hint=hint)
        if not isinstance(parts[0], Image):
            raise InputError(
                "this model captions pictures, not videos", hint="give a picture, such as one of its frames"
            )
        return parts[0]

    def _start_id(self) -> int:
        """What a caption begins with: the decoder's start token, as transformers falls back to it."""
        generation, model = self.description.generation, self.description.model
        for token_id in (generation.decoder_start_token_id, model.decoder_start_token_id, generation.bos_token_id):
            if token_id is not None:
                return token_id
        raise BrokenModel(
            f"{self.located.id}: neither generation_config.json nor config.json says which token captions begin with",
            hint="decoder_start_token_id is missing",
        )
