"""The Hugging Face Hub: what is in the shared cache, and fetching what is not. Only the files that loading needs."""

from __future__ import annotations

import io
import json
import logging
import queue
import threading
from collections.abc import Collection, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from llavacli_core.checkpoint.shards import INDICES, SINGLE, missing_weights
from llavacli_core.errors import CheckpointError, CoreError, ModelMissing
from llavacli_core.events import Progress
from llavacli_core.families.registry import family_of
from llavacli_core.prompt.files import VOCABULARIES

CONNECT_SECONDS = 15
SMALL: dict[str, Any] = {"allow_patterns": ["*.json", "*.jinja"], "ignore_patterns": ["*/*"]}


def wanted(files: Collection[str], *, weights: bool) -> list[str]:
    """Which of a repository's `files` loading needs: those at its top, as folders in it hold other formats.

    Pickled weights only where there are no safetensors, a vocabulary in parts only where there is no tokenizer.json.
    """
    top = {name for name in files if "/" not in name}
    parts = () if "tokenizer.json" in top else {name for names in VOCABULARIES for name in names}
    weight = "model*.safetensors" if top & {SINGLE[0], INDICES[0]} else "pytorch_model*.bin"
    return sorted(
        name
        for name in top
        if name.endswith((".json", ".jinja")) or name in parts or (weights and fnmatch(name, weight))
    )


def cached(name: str, revision: str | None, *, weights: bool = True, words: bool = True) -> Path | None:
    """The snapshot of `name` in the shared cache, when it holds all that loading needs, or all but one part of it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, revision=revision, local_files_only=True, **SMALL))
    except (LocalEntryNotFoundError, FileNotFoundError, ValueError):
        return None
    return folder if not missing_files(folder, weights=weights, words=words) else None


def missing_files(folder: Path, *, weights: bool = True, words: bool = True) -> list[str]:
    """What loading needs and the folder lacks: config.json, a tokenizer (`words`), every shard of the weights."""
    missing = [] if (folder / "config.json").is_file() else ["config.json"]
    tokenizers = (("tokenizer.json",), *VOCABULARIES)
    if words and not any(all((folder / name).is_file() for name in names) for names in tokenizers):
        missing.append("tokenizer.json")
    return missing + missing_weights(folder) if weights else missing


def fetch(name: str, revision: str | None, *, offline: bool = False, weights: bool = True, words: bool = True) -> Path:
    """Download without a word; gives the snapshot's folder."""
    _refuse_offline(name, offline=offline)
    return _download(name, revision, None, weights=weights, words=words)


def download(name: str, revision: str | None = None) -> Iterator[Progress]:
    """Download in a thread of its own, and say how far it is, as it goes."""
    _refuse_offline(name)
    reports: queue.SimpleQueue[Progress | CoreError | BaseException | None] = queue.SimpleQueue()

    def work() -> None:
        try:
            _download(name, revision, reports, weights=True, words=True)
            reports.put(None)
        except BaseException as error:
            reports.put(error)

    threading.Thread(target=work, name="download", daemon=True).start()
    while (report := reports.get()) is not None:
        if isinstance(report, BaseException):
            raise report
        yield report


def _refuse_offline(name: str, *, offline: bool = False) -> None:
    """Nothing can be fetched in an offline run, whether a flag or HF_HUB_OFFLINE says so."""
    from huggingface_hub import constants

    if offline or constants.HF_HUB_OFFLINE:
        raise ModelMissing(
            f"{name} is not in the cache, and this is an offline run",
            hint="run once without --offline (or HF_HUB_OFFLINE), or give a folder",
        )


def _download(name: str, revision: str | None, reports: Any, *, weights: bool, words: bool) -> Path:
    """config.json first, so that an unknown family is refused before gigabytes are fetched; then the rest.

    A network without `words` is half of one, of no family by itself.
    """
    from huggingface_hub import HfApi, errors, hf_hub_download, snapshot_download

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it tells stderr of every retry; errors tell enough
    try:
        # This fails at once, where a download would try again and again.
        info = HfApi().model_info(name, revision=revision, timeout=CONNECT_SECONDS)
        config = hf_hub_download(name, "config.json", revision=revision, tqdm_class=_silent_bar(None))
        values = json.loads(Path(config).read_text("utf-8"))
        if words:
            family_of(values)
        bar = _silent_bar(reports)
        files = wanted([file.rfilename for file in info.siblings or ()], weights=weights)
        folder = Path(snapshot_download(name, revision=revision, tqdm_class=bar, allow_patterns=files))
    except errors.GatedRepoError as error:
        raise ModelMissing(
            f"{name} is gated, and this account has no access", hint="ask on its Hub page, then `hf auth login`"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise ModelMissing(
            f"{name} is not on the Hub, or is private", hint="check the spelling; for a private one `hf auth login`"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ModelMissing(f"{name} has no revision {revision!r}", hint="name a branch, a tag or a commit") from error
    except errors.LocalEntryNotFoundError as error:
        raise _unreachable(name, error) from error
    except errors.EntryNotFoundError as error:
        raise ModelMissing(f"{name} has no config.json", hint="it is no checkpoint in the Hub's own format") from error
    except errors.HFValidationError as error:
        raise ModelMissing(f"{name!r} is no Hub id", hint="Hub ids look like org/name") from error
    except CoreError:  # some of which are ValueErrors
        raise
    except ValueError as error:
        raise CheckpointError(f"{name}: config.json is not JSON", hint="the repository is damaged") from error
    except Exception as error:  # the transport's own errors: which they are depends on huggingface_hub's version
        raise _unreachable(name, error) from error
    missing = missing_files(folder, weights=weights, words=words)
    if missing:
        raise CheckpointError(f"{name} lacks {', '.join(missing[:3])}", hint="the repository is incomplete")
    return folder


def _unreachable(name: str, error: Exception) -> ModelMissing:
    """The error for a download that failed on the way, in one line."""
    reason = error.__cause__ or error
    said = (str(reason).strip() or type(reason).__name__).splitlines()[0]
    return ModelMissing(f"{name} could not be fetched: {said}", hint="check the network, or HF_ENDPOINT and HF_TOKEN")


def _silent_bar(reports: Any) -> Any:
    """A progress bar that draws nothing; bars that count bytes put a `Progress` into `reports`, if that is given."""
    from tqdm.auto import tqdm

    class Bar(tqdm):  # type: ignore[misc,unused-ignore]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.counts_bytes = kwargs.get("unit") == "B"
            super().__init__(*args, **{**kwargs, "file": io.StringIO(), "disable": False})

        def update(self, n: float | None = 1) -> bool | None:
            shown: bool | None = super().update(n)
            if reports is not None and self.counts_bytes:
                reports.put(Progress(int(self.n), int(self.total or 0)))
            return shown

    return Bar
