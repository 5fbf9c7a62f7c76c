"""What the Hub lists of a repository, and its refusals as errors of ours, each in one line that says what to do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from llavacli_core.errors import CoreError, ModelMissing, Unreachable
from llavacli_core.families.registry import ALIASES
from llavacli_core.hub.cache import COMMIT, ETAG, Repository, is_offline

CONNECT_SECONDS = 15


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file of a repository: its name, its bytes, and the hash that is also the name of its blob in the cache."""

    name: str
    size: int
    etag: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The chosen files of a repository at a commit."""

    id: str
    commit: str
    files: tuple[RemoteFile, ...]

    @property
    def size(self) -> int:
        """Bytes of the chosen files."""
        return sum(file.size for file in self.files)


def refuse_offline(name: str, *, offline: bool = False) -> None:
    """Nothing can be asked in an offline run, whether a flag or HF_HUB_OFFLINE says so."""
    if offline or is_offline():
        state = "is not complete in the cache" if Repository.of(name).commits() else "is not in the cache"
        raise Unreachable(
            f"{name} {state}, and this is an offline run",
            hint=f"with a network, run: llavacli models pull {name}",
        )


def list_files(name: str, revision: str | None, choose: Callable[[Collection[str]], list[str]]) -> Listing:
    """The files of a repository that `choose` picks by name, in its order; one question where the Hub tells sizes."""
    from huggingface_hub import HfApi

    with speaking_of(name, revision):
        # This fails at once, where a download would try again and again.
        info = HfApi().model_info(name, revision=revision, timeout=CONNECT_SECONDS, files_metadata=True)
        assert info.sha is not None
        siblings = {each.rfilename: each for each in info.siblings or ()}
        files = [_file(name, info.sha, siblings[chosen]) for chosen in choose(siblings)]
    return Listing(id=name, commit=info.sha, files=tuple(files))


def _file(name: str, commit: str, sibling: Any) -> RemoteFile:
    """What is listed of a file; where size and hash are not, as with some mirrors, the file itself is asked."""
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(name, sibling.rfilename, revision=commit)
    size, etag = sibling.size, sibling.lfs.sha256 if sibling.lfs is not None else sibling.blob_id
    if size is None or etag is None:
        about = get_hf_file_metadata(url, timeout=CONNECT_SECONDS)
        size, etag = about.size, about.etag
    if size is None or not ETAG.fullmatch(etag or "") or not COMMIT.fullmatch(commit):  # they become names of files
        raise Unreachable(
            f"{constants.ENDPOINT} tells no hash or no size of {sibling.rfilename} in {name}",
            hint="set HF_ENDPOINT to another mirror, or to none",
        )
    return RemoteFile(name=sibling.rfilename, size=size, etag=etag, url=url)


@contextmanager
def opened(url: str, start: int = 0) -> Iterator[Any]:
    """The Hub's answer to a question for a file, from byte `start` on; refusals and failures are raised as they are."""
    from huggingface_hub import constants, utils

    headers = {**utils.build_hf_headers(), "Accept-Encoding": "identity"}  # type: ignore[attr-defined]
    if start:
        headers["Range"] = f"bytes={start}-"
    session: Any = utils.get_session()  # type: ignore[attr-defined]
    waiting = constants.HF_HUB_DOWNLOAD_TIMEOUT
    with session.stream("GET", url, headers=headers, timeout=waiting, follow_redirects=True) as answer:
        utils.hf_raise_for_status(answer)  # type: ignore[attr-defined]
        yield answer


@contextmanager
def speaking_of(name: str, revision: str | None, file: str = "config.json") -> Iterator[None]:
    """Whatever huggingface_hub raises within, where a `file` of a repository is asked for, said in our words."""
    from huggingface_hub import errors

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it tells stderr of every retry; errors tell enough
    try:
        yield
    except CoreError:  # some of which are ValueErrors
        raise
    except errors.GatedRepoError as error:
        raise ModelMissing(
            f"{name} is gated, and this account has no access",
            hint=f"ask for it on the model's page ({_page(name)}), then `hf auth login` or set HF_TOKEN",
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise ModelMissing(f"{name} is not on the Hub, or is private", hint=_not_found(name)) from error
    except errors.RevisionNotFoundError as error:
        raise ModelMissing(f"{name} has no revision {revision!r}", hint="name a branch, a tag or a commit") from error
    except errors.EntryNotFoundError as error:
        hint = (
            "it is no checkpoint in the Hub's own format" if file == "config.json" else "try again, or another mirror"
        )
        raise ModelMissing(f"{name} has no {file}", hint=hint) from error
    except errors.HFValidationError as error:
        raise ModelMissing(f"{name!r} is no Hub id", hint="Hub ids look like org/name") from error
    except errors.HfHubHTTPError as error:
        raise _refused(name, error) from error
    except Exception as error:  # the transport's own errors: which they are depends on huggingface_hub's version
        raise unreachable(name, error) from error


def unreachable(name: str, error: Exception) -> Unreachable:
    """The error for a question or a download that failed on the way."""
    reason = error.__cause__ or error
    said = (str(reason).strip() or type(reason).__name__).splitlines()[0]
    return Unreachable(f"{name} could not be fetched: {said}", hint="check the network, or HF_ENDPOINT and HF_TOKEN")


def _refused(name: str, error: Any) -> ModelMissing:
    """The error for an answer that is none of those above, by its status."""
    from huggingface_hub import constants

    status = error.response.status_code
    said = f"{name} could not be fetched: {constants.ENDPOINT} answered {status}"
    if status in (401, 403):
        return ModelMissing(said, hint="this token has no access: `hf auth login`, or check HF_TOKEN")
    if status == 429:
        return Unreachable(said, hint="too many requests: wait a while, or set HF_TOKEN")
    if status >= 500:
        return Unreachable(said, hint="the server is in trouble: try again later, or set HF_ENDPOINT to a mirror")
    return ModelMissing(said, hint="check HF_ENDPOINT and HF_TOKEN")


def _not_found(name: str) -> str:
    """What may have been meant by the Hub id, or how to get at a private one."""
    close = get_close_matches(name, ALIASES.values(), n=1, cutoff=0.85)
    return f"did you mean {close[0]}?" if close else "check the spelling; for a private one `hf auth login` or HF_TOKEN"


def _page(name: str) -> str:
    from huggingface_hub import constants

    return f"{constants.ENDPOINT}/{name}"
