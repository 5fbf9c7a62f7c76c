"""A checkpoint's files to the processor that it wants: of conversations, or of captions."""

from __future__ import annotations

from os import PathLike

from llavacli_core.checkpoint.files import CaptionerDescription, describe
from llavacli_core.engine.captions import CaptionProcessor
from llavacli_core.engine.processor import Processor
from llavacli_core.errors import BadOption
from llavacli_core.hub.locate import Located, locate


def open_processor(located: Located, template: str | None = None) -> Processor | CaptionProcessor:
    """The processor of a checkpoint that was found; `template` is a dialect's name or a file."""
    description = describe(located.folder)
    if not isinstance(description, CaptionerDescription):
        return Processor(located, description, template)
    if template is not None:
        raise BadOption("this model writes captions without a prompt, so it takes no template", hint="leave it out")
    return CaptionProcessor(located, description)


def load_processor(
    model: str | PathLike[str], *, revision: str | None = None, offline: bool = False, template: str | None = None
) -> Processor | CaptionProcessor:
    """Everything of a checkpoint but its weights, which are not fetched: for prompts, token counts and dry runs."""
    return open_processor(locate(model, revision=revision, offline=offline, weights=False), template)
