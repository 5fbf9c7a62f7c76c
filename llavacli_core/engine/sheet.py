"""What a checkpoint is and can do, told from its small files: no weights are read but their headers, and no torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from llavacli_core.checkpoint.files import CaptionerDescription, Description, describe
from llavacli_core.checkpoint.parts import parts_of
from llavacli_core.config import CaptionerConfig, ModelConfig
from llavacli_core.engine.captions import CaptionProcessor
from llavacli_core.engine.processor import choose_template
from llavacli_core.engine.processor_loading import open_processor
from llavacli_core.errors import BrokenModel, ModelMissing, TemplateError
from llavacli_core.geometry import grid_for, image_tokens, video_tokens
from llavacli_core.hub.headers import Header, count_parameters, read_header
from llavacli_core.hub.inventory import lacking, on_disk
from llavacli_core.hub.locate import Located, hub_id, locate
from llavacli_core.hub.needed import missing_files
from llavacli_core.hub.shards import weights_of
from llavacli_core.hub.shelf import snapshot_of
from llavacli_core.messages import Image, Message
from llavacli_core.prompt.layout import write
from llavacli_core.prompt.template import identify

TYPICAL = ((336, 336), (640, 480), (1920, 1080), (1080, 1920), (4032, 3024))  # pixels, width x height
FLOATS = ("F64", "F32", "F16", "BF16")
QUESTION = "What is in this image?"


@dataclass(frozen=True)
class PictureCost:
    """What a picture of a size takes."""

    width: int
    height: int
    tiles: int
    tokens: int


@dataclass(frozen=True)
class ClipCost:
    """What a clip takes, each frame and by default."""

    frames: int
    tokens: int
    tokens_per_frame: int


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A checkpoint's facts."""

    id: str
    revision: str | None
    folder: Path
    family: str
    architecture: str
    template: str | None  # None: it takes no prompt, or none was found
    template_origin: str | None
    pictures: tuple[PictureCost, ...]
    clip: ClipCost | None
    takes_prompt: bool
    several_images: bool
    marks: bool  # whether it was trained on marks
    positions: int
    dtype: str
    parameters: int  # as stored, or where no weights can be read as config.json has it
    stored: Mapping[str, int]  # how many numbers in each format, as headers say; none where they cannot be read
    size: int  # bytes on disk
    missing: tuple[str, ...]


def load_sheet(
    model: str | PathLike[str], *, revision: str | None = None, offline: bool = False, cache: str | None = None
) -> Sheet:
    """What the files of a checkpoint tell, whether its weights are there or not.

    Of a Hub id that is not in the cache, the small files are fetched, unless `offline`.
    """
    located = _located(os.fspath(model), revision, offline=offline, cache=cache)
    folder = located.folder
    description = describe(folder)
    config, on, stored = description.model, on_disk(folder, located.id), _stored(folder)
    dialect, origin = (None, None) if isinstance(description, CaptionerDescription) else _template(located)
    family = description.family
    return Sheet(
        id=located.id,
        revision=located.revision,
        folder=folder,
        family=family.model_type,
        architecture=family.architecture,
        template=dialect,
        template_origin=origin,
        pictures=_pictures(description),
        clip=_clip(config),
        takes_prompt=isinstance(description, Description),
        several_images=family.takes_several(located.id),
        marks=family.marks,
        positions=config.decoder.positions,
        dtype=config.dtype,
        parameters=_parameters(config, stored),
        stored=stored,
        size=on.size,
        missing=on.missing,
    )


def sample_prompt(sheet: Sheet, question: str = QUESTION) -> str:
    """The exact prompt for a picture and a question, the picture as the one placeholder that it is before widening."""
    located = Located(folder=sheet.folder, id=sheet.id, revision=sheet.revision)
    processor = open_processor(located)
    if isinstance(processor, CaptionProcessor):
        return ""
    messages = [Message("user", [Image(b""), question])]
    words = (processor.template, processor.tokenizer, processor.image_token)
    return write(messages, *words, video_token=processor.video_token).text


def _located(model: str, revision: str | None, *, offline: bool, cache: str | None) -> Located:
    """The checkpoint: whatever the cache holds of it, else its small files from the Hub."""
    name = hub_id(model)
    if name is not None:
        with suppress(ModelMissing):
            commit, folder = snapshot_of(name, revision, cache)
            if not missing_files(folder, weights=False):
                return Located(folder=folder, id=name, revision=commit)
    return locate(model, revision=revision, offline=offline, weights=False)


def _template(located: Located) -> tuple[str | None, str | None]:
    """The dialect's name and where it is from; neither for a checkpoint that brings none."""
    try:
        chosen = choose_template(located, None)
    except TemplateError:
        return None, None
    return identify(chosen), chosen.origin


def _pictures(description: Description | CaptionerDescription) -> tuple[PictureCost, ...]:
    """What pictures of typical sizes cost."""
    costs = []
    for width, height in TYPICAL:
        grid = grid_for(width, height, description.images)
        model = description.model
        tokens = 0 if isinstance(model, CaptionerConfig) else image_tokens(grid, model)
        costs.append(PictureCost(width, height, grid.tiles, tokens))
    return tuple(costs)


def _clip(model: ModelConfig | CaptionerConfig) -> ClipCost | None:
    """What a clip costs where nobody says how many frames are shown."""
    if isinstance(model, CaptionerConfig) or model.video_token_id is None or model.connector.pooling is None:
        return None
    frames = model.default_frames or 1
    return ClipCost(frames, video_tokens(frames, model), video_tokens(1, model))


def _parameters(config: ModelConfig | CaptionerConfig, stored: Mapping[str, int]) -> int:
    """As many as are stored, unless several are packed into one number."""
    if stored and set(stored) <= set(FLOATS):
        return sum(stored.values())
    return sum(part.weights.parameters for part in parts_of(config, whole=True))


def _stored(folder: Path) -> dict[str, int]:
    """What the headers of safetensors say; nothing for pickled weights, and where a file is missing or damaged."""
    if lacking(folder):
        return {}
    try:
        file, places = weights_of(folder)
        files = [file] if places is None else [folder / name for name in sorted(set(places.values()))]
        if any(each.suffix != ".safetensors" for each in files):
            return {}
        headers: list[Header] = [read_header(each) for each in files]
    except BrokenModel:
        return {}
    return count_parameters(headers)
