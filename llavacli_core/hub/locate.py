"""From what the user typed to a folder on disk: a folder, an alias, the demo, or a Hub id in the shared cache."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from os import PathLike
from pathlib import Path

from llavacli_core.errors import BadOption, ModelMissing
from llavacli_core.events import Progress
from llavacli_core.families.registry import ALIASES
from llavacli_core.hub import snapshot

DEMO = "demo"
DEMO_FOLDER = Path(__file__).resolve().parent.parent / "demo_checkpoint"
HUB_ID = re.compile(r"(?!.*(--|\.\.|\.git$))\w[\w.-]{0,95}/\w[\w.-]{0,95}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Located:
    """A checkpoint on disk, and under which name and revision it was asked for."""

    folder: Path
    id: str
    revision: str | None


def hub_id(model: str) -> str | None:
    """The Hub id that `model` means, by itself or as an alias; None where it means a folder or the demo."""
    if model == DEMO or is_folder(model):
        return None
    name = ALIASES.get(model.lower(), model)
    return name if HUB_ID.fullmatch(name) else None


def named(model: str) -> str:
    """The Hub id that `model` means; an error that says what may have been meant where it means none."""
    name = hub_id(model)
    if name is not None:
        return name
    if not model:
        raise BadOption("the model's name is empty", hint="give a Hub id (org/name) or an alias")
    if model == DEMO:
        raise BadOption("the demo is built in", hint="it needs no download, and cannot be removed")
    if is_folder(model):
        raise BadOption(f"{model} is a folder, not a model of the Hub", hint="give a Hub id (org/name) or an alias")
    raise _unknown(model)


def _unknown(model: str) -> ModelMissing:
    """The error for what is neither a checkpoint's folder nor a Hub id."""
    if os.path.isdir(model):
        return ModelMissing(f"{model} has no config.json", hint="a checkpoint folder holds config.json and the weights")
    if os.path.exists(model):
        return ModelMissing(f"{model} is a file, not a folder", hint="give the folder that holds config.json")
    close = get_close_matches(model.lower(), ALIASES, n=1, cutoff=0.7)
    hint = f"did you mean {close[0]}?" if close else "give a folder, a Hub id (org/name) or an alias"
    return ModelMissing(f"no model {model!r}: neither a folder nor a Hub id", hint=hint)


def is_folder(model: str) -> bool:
    """A folder counts as a checkpoint when it has a config.json."""
    return os.path.isfile(os.path.join(model, "config.json"))


def locate(
    model: str | PathLike[str],
    *,
    revision: str | None = None,
    offline: bool = False,
    weights: bool = True,
    words: bool = True,
) -> Located:
    """Where the checkpoint lies; a Hub id that is not in the cache is fetched, unless `offline`.

    Without `weights` its small files are enough; without `words`, any network does, as half of a captioner.
    """
    model = os.fspath(model)
    if not model:
        raise BadOption("the model's name is empty", hint="give a folder, a Hub id (org/name) or an alias")
    if is_folder(model):
        return Located(folder=Path(model), id=model, revision=None)
    if model == DEMO:
        return Located(folder=DEMO_FOLDER, id=DEMO, revision=None)
    name = hub_id(model)
    if name is None or os.path.exists(model):
        raise _unknown(model)
    folder = snapshot.cached(name, revision, weights=weights, words=words)
    if folder is None:
        folder = snapshot.fetch(name, revision, offline=offline, weights=weights, words=words)
    return Located(folder=folder, id=name, revision=folder.name)  # a snapshot's folder is named by its commit


def is_cached(model: str, *, revision: str | None = None) -> bool:
    """Whether `load` would find the model here: a folder, the demo, or all of a Hub id's files in the cache."""
    name = hub_id(model)
    return snapshot.cached(name, revision) is not None if name is not None else is_folder(model) or model == DEMO


def download(model: str, *, revision: str | None = None) -> Iterator[Progress]:
    """Fetch what `load` needs of a Hub id or alias, and say how far it is; nothing to do for what is on disk."""
    name = hub_id(model)
    if name is not None:
        yield from snapshot.download(name, revision)


def aliases() -> dict[str, str]:
    """Short names of the published checkpoints, and the Hub ids they stand for."""
    return dict(ALIASES)
