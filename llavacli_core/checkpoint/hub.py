"""The Hugging Face Hub: what is in the shared cache, and fetching what is not. Only the files that loading needs."""

from __future__ import annotations

import io
import json
import logging
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llavacli_core.errors import CheckpointError, CoreError, ModelMissing
from llavacli_core.events import Progress
from llavacli_core.families.registry import family_of

CONNECT_SECONDS = 15


def _wanted(*, weights: bool) -> dict[str, Any]:
    """What to fetch: files at the top of the repository, as folders in it hold other formats."""
    patterns = ["*.json", "*.jinja", "*.safetensors"] if weights else ["*.json", "*.jinja"]
    return {"allow_patterns": patterns, "ignore_patterns": ["*/*"]}


def cached(name: str, revision: str | None, *, weights: bool = True) -> Path | None:
    """The snapshot of `name` in the shared cache, when it holds all that loading needs, or all but weights."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, revision=revision, local_files_only=True, **_wanted(weights=weights)))
    except (LocalEntryNotFoundError, FileNotFoundError, ValueError):
        return None
    return folder if not missing_files(folder, weights=weights) else None


def missing_files(folder: Path, *, weights: bool = True) -> list[str]:
    """What loading needs and the folder lacks: config.json, a tokenizer, every shard of the weights."""
    missing = [name for name in ("config.json", "tokenizer.json") if not (folder / name).is_file()]
    if not weights:
        return missing
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            shards = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
        except (ValueError, KeyError, AttributeError):
            return [*missing, index.name]
        return missing + sorted(str(shard) for shard in shards if not (folder / str(shard)).is_file())
    return missing if any(folder.glob("*.safetensors")) else [*missing, "model.safetensors"]


def fetch(name: str, revision: str | None, *, offline: bool = False, weights: bool = True) -> Path:
    """Download without a word; gives the snapshot's folder."""
    _refuse_offline(name, offline=offline)
    return _download(name, revision, None, weights=weights)


def download(name: str, revision: str | None = None) -> Iterator[Progress]:
    """Download in a thread of its own, and say how far it is, as it goes."""
    _refuse_offline(name)
    reports: queue.SimpleQueue[Progress | CoreError | BaseException | None] = queue.SimpleQueue()

    def work() -> None:
        try:
            _download(name, revision, reports, weights=True)
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


def _download(name: str, revision: str | None, reports: Any, *, weights: bool) -> Path:
    """config.json first, so that an unknown family is refused before gigabytes are fetched; then the rest."""
    from huggingface_hub import HfApi, errors, hf_hub_download, snapshot_download

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it tells stderr of every retry; errors tell enough
    try:
        HfApi().model_info(name, revision=revision, timeout=CONNECT_SECONDS)  # fails at once where a download retries
        config = hf_hub_download(name, "config.json", revision=revision, tqdm_class=_silent_bar(None))
        family_of(json.loads(Path(config).read_text("utf-8")))
        bar = _silent_bar(reports)
        folder = Path(snapshot_download(name, revision=revision, tqdm_class=bar, **_wanted(weights=weights)))
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
    except ValueError as error:
        raise CheckpointError(f"{name}: config.json is not JSON", hint="the repository is damaged") from error
    except CoreError:
        raise
    except Exception as error:  # the transport's own errors: which they are depends on huggingface_hub's version
        raise _unreachable(name, error) from error
    missing = missing_files(folder, weights=weights)
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
