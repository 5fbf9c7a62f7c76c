"""What made a caption, as a short fingerprint: the question, the model and its revision, and the parameters."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llavacli.captioning.picture import Item
from llavacli.options import GenerationOptions, ModelOptions

if TYPE_CHECKING:
    import llavacli_core as core
    from llavacli.captioning.asking import Asker

LENGTH = 16
OF_DRAWS = ("seed", "top_p", "top_k", "min_p")


@dataclass(frozen=True)
class Provenance:
    """What all captions of a run have in common."""

    asker: Asker
    common: Mapping[str, Any]

    def fingerprint(self, item: Item, info: core.ModelInfo) -> str:
        """What an item's caption is made by, whatever the device and the size of the batch."""
        made_by = {"prompt": self.asker.prompt(item, info), "model": _identity(info), **self.common}
        text = json.dumps(made_by, sort_keys=True, default=str)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:LENGTH]


def provenance(asker: Asker, generation: GenerationOptions, model: ModelOptions) -> Provenance:
    """What the options say; a seed that was drawn, not given, is no difference, and of a greedy answer nothing is."""
    idle = () if generation.temperature else OF_DRAWS
    params = {name: value for name, value in vars(generation).items() if name not in ("prompt", *idle)}
    placed = {"dtype": model.dtype, "quant": model.quant, "template": _template(model.template)}
    return Provenance(asker, {"params": params, "wording": vars(asker.wording), "placed": placed})


def _identity(info: core.ModelInfo) -> Mapping[str, Any]:
    """Which weights: the revision, or of a folder, where it is and what its files look like from outside."""
    made_by = {"id": info.id, "revision": info.revision, "template": info.template, "files": list[object]()}
    folder = os.path.realpath(info.id)
    if info.revision is not None or not os.path.isfile(os.path.join(folder, "config.json")):  # of the Hub, or built in
        return made_by
    return {**made_by, "id": folder, "files": _files(folder)}


def _files(folder: str) -> list[tuple[str, int, int]]:
    """Name, size and time of a folder's files."""
    with os.scandir(folder) as entries:
        files = [(entry.name, entry.stat()) for entry in entries if entry.is_file() and entry.name[0] != "."]
    return sorted((name, status.st_size, status.st_mtime_ns) for name, status in files)


def _template(name: str | None) -> str | None:
    """A template by its name, or if it is a file, by its content."""
    if name is None or not os.path.isfile(name):
        return name
    with open(name, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
