"""Where `from_pretrained` reads and `save_pretrained` writes."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import Any

from llavacli_core.checkpoint.locate import locate
from llavacli_core.errors import BadOption


def folder_of(
    name: str | PathLike[str], *, revision: str | None = None, local_files_only: bool = False, subfolder: str = ""
) -> Path:
    """The folder that `name` means: one on disk, whatever it holds, else a Hub id, an alias or the demo."""
    here = Path(name)
    if here.is_dir():
        return here / subfolder
    return locate(name, revision=revision, offline=local_files_only, weights=False).folder / subfolder


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
