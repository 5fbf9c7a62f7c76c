"""Reading a checkpoint's small text and JSON files; what is damaged is an error that names the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from llavacli_core.errors import BrokenModel

# Files that together stand in for a tokenizer.json, in checkpoints older than it.
VOCABULARIES = (("vocab.json", "merges.txt"), ("vocab.txt",), ("sentencepiece.bpe.model",))
MOST_BYTES = 2**28  # the largest published tokenizer.json is a tenth of it
PULL_AGAIN = "the download may be incomplete: pull the checkpoint again"


def read_text(path: Path) -> str | None:
    """The whole file as UTF-8 text, None where there is none. Only a regular file is opened."""
    try:
        if path.exists() and not path.is_file():
            raise BrokenModel(f"{path}: not a regular file", hint="give a text file")
        if path.is_file() and path.stat().st_size > MOST_BYTES:
            raise BrokenModel(f"{path}: larger than {MOST_BYTES >> 20} MB", hint=PULL_AGAIN)
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise BrokenModel(f"{path}: cannot be read as text ({error})", hint=PULL_AGAIN) from error


def read_json(path: Path) -> dict[str, Any]:
    """The file's JSON object, an empty one where there is no file."""
    text = read_text(path)
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BrokenModel(f"{path}: damaged JSON ({error})", hint=PULL_AGAIN) from error
    if not isinstance(value, dict):
        raise BrokenModel(f"{path}: expected a JSON object, found {type(value).__name__}", hint=PULL_AGAIN)
    return value
