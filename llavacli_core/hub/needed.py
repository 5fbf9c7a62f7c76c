"""Which of a repository's files loading needs, and which of them a folder lacks."""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatch
from pathlib import Path

from llavacli_core.hub.shards import ENDINGS, INDICES, SINGLE, missing_weights
from llavacli_core.prompt.files import VOCABULARIES


def wanted(files: Collection[str], *, weights: bool) -> list[str]:
    """Which of a repository's `files` loading needs: those at its top, as folders in it hold other formats.

    Pickled weights only where there are no safetensors, a vocabulary in parts only where there is no tokenizer.json.
    The order is that of fetching: config.json first, tokenizer.json last but for weights, so that a download that is
    cut short is never taken for a whole one.
    """
    top = {name for name in files if "/" not in name and "\\" not in name}
    parts = () if "tokenizer.json" in top else {name for names in VOCABULARIES for name in names}
    weight = "model*.safetensors" if top & {SINGLE[0], INDICES[0]} else "pytorch_model*.bin"
    chosen = (
        name
        for name in top
        if name.endswith((".json", ".jinja")) or name in parts or (weights and fnmatch(name, weight))
    )
    return sorted(chosen, key=lambda name: (is_weights(name), name == "tokenizer.json", name != "config.json", name))


def is_weights(name: str) -> bool:
    """Whether a file holds weights, by its name."""
    return name.endswith(ENDINGS)


def missing_files(folder: Path, *, weights: bool = True, words: bool = True) -> list[str]:
    """What loading needs and the folder lacks: config.json, a tokenizer (`words`), every shard of the weights."""
    missing = [] if (folder / "config.json").is_file() else ["config.json"]
    tokenizers = (("tokenizer.json",), *VOCABULARIES)
    if words and not any(all((folder / name).is_file() for name in names) for names in tokenizers):
        missing.append("tokenizer.json")
    return missing + missing_weights(folder) if weights else missing
