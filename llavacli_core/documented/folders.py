"""Where `from_pretrained` reads and `save_pretrained` writes."""

from __future__ import annotations

import json
import os
from os import PathLike
from pathlib import Path
from typing import Any

from llavacli_core.errors import BadOption, CheckpointError, ModelMissing
from llavacli_core.hub import snapshot
from llavacli_core.hub.locate import hub_id, locate


def folder_of(
    name: str | PathLike[str], *, revision: str | None = None, local_files_only: bool = False, subfolder: str = ""
) -> Path:
    """The folder that `name` means: one on disk, whatever it holds, else a Hub id, an alias or the demo."""
    here = Path(name)
    return (here if here.is_dir() else _located(os.fspath(name), revision, offline=local_files_only)) / subfolder


def _located(name: str, revision: str | None, *, offline: bool) -> Path:
    """A whole model's small files; else those of a part of one, an encoder or a tokenizer alone.

    A part is fetched rather than taken from the cache, as nobody can tell whether what is there is all of it.
    """
    try:
        return locate(name, revision=revision, offline=offline, weights=False).folder
    except CheckpointError as whole:
        part = hub_id(name)
        if part is None:
            raise
        try:
            return snapshot.fetch(part, revision, offline=offline, weights=False, words=False)
        except ModelMissing:
            folder = snapshot.cached(part, revision, weights=False, words=False)
            if folder is None:
                raise whole from None
            return folder


def folder_for(name: str | PathLike[str]) -> Path:
    """The folder to save to, made where there is none."""
    folder = Path(name)
    if folder.is_file():
        raise BadOption(f"{folder} is a file", hint="give a folder to save to")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_json(path: Path, values: dict[str, Any]) -> None:
    """One JSON object, its keys in alphabetical order as in every published file."""
    path.write_text(json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def hub_options(options: dict[str, Any]) -> dict[str, Any]:
    """Takes out of a `from_pretrained` call's options what says where to look; what has no meaning here is dropped."""
    for name in ("cache_dir", "force_download", "token", "trust_remote_code", "use_fast", "backend"):
        options.pop(name, None)
    found = {name: options.pop(name) for name in ("revision", "local_files_only", "subfolder") if name in options}
    return {name: value for name, value in found.items() if value is not None}
