"""A Hub on this machine: enough of its interface to list and download one repository, well or badly."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = (".safetensors", ".bin")  # kept as the Hub keeps large files: named by sha256, served by another address


class Hub(ThreadingHTTPServer):
    """Serves the files of `folder` as `repository`; `asked` lists the paths that were requested."""

    daemon_threads = True

    def __init__(self, folder: Path, repository: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.repository = folder, repository
        self.commit = COMMIT
        self.asked: list[str] = []
        self.served = 0  # bytes of large files
        self.sending: list[str] = []  # large files under way
        self.gated = False  # all but the listing wants `token`
        self.private = False  # the listing too
        self.token: str | None = None
        self.statuses: dict[str, int] = {}  # by the end of a path: answered with this status instead
        self.failing = 0  # so many large files break off in the middle
        self.rate: int | None = None  # bytes of large files in a second
        self.ranges = True
        self.tells_sizes = True
        self.tells_hashes = True
        self.lies = False  # large files come with a bit flipped

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()
        }

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is no news."""


def etag(name: str, data: bytes) -> str:
    """The hash that the Hub knows a file by."""
    if name.endswith(LARGE):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        path = unquote(url.path)
        self.server.asked.append(path)
        repository = self.server.repository
        status = next((status for end, status in self.server.statuses.items() if path.endswith(end)), None)
        known = self.headers.get("Authorization") == f"Bearer {self.server.token}"
        if status is not None:
            self.refuse(status, "", "as told")
        elif self.server.private and not known and not path.startswith("/cdn/"):
            self.refuse(401, "RepoNotFound", "Repository not found")
        elif path.startswith(f"/{repository}/resolve/"):
            revision, _, name = path.removeprefix(f"/{repository}/resolve/").partition("/")
            if self.server.gated and not known:
                self.refuse(401 if self.server.token is None else 403, "GatedRepo", "Access is restricted")
            else:
                self.file(revision, name)
        elif path.startswith("/cdn/"):
            self.large(path.removeprefix("/cdn/"))
        elif path.startswith(f"/api/models/{repository}"):
            self.listing(path, parse_qs(url.query))
        else:
            self.refuse(404, "RepoNotFound", "Repository not found")

    def file(self, revision: str, name: str) -> None:
        data = self.server.files().get(name)
        if revision not in ("main", self.server.commit):
            self.refuse(404, "RevisionNotFound", f"no revision {revision}")
        elif data is None:
            self.refuse(404, "EntryNotFound", f"no file {name}")
        elif name.endswith(LARGE):
            about = {"X-Linked-Etag": self.tag(name, data), "X-Linked-Size": str(len(data))}
            place = {"Location": f"http://localhost:{self.server.server_port}/cdn/{name}"}  # another host, as the Hub's
            self.reply(302, b"", {**about, **place, "X-Repo-Commit": self.server.commit})
        else:
            self.reply(200, data, {"ETag": self.tag(name, data), "X-Repo-Commit": self.server.commit})

    def tag(self, name: str, data: bytes) -> str:
        return f'"{etag(name, data)}"' if self.server.tells_hashes else ""

    def large(self, name: str) -> None:
        assert "Authorization" not in self.headers, "a token for another host"
        data = self.server.files()[name]
        if self.server.lies:
            data = data[:-1] + bytes([data[-1] ^ 1])
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked and self.server.ranges else 0
        partial = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        self.head(206 if start else 200, {**partial, "Content-Length": str(len(data) - start)})
        if self.command == "HEAD":
            return
        end = len(data)
        if self.server.failing:
            self.server.failing -= 1
            end = (start + end) // 2
        self.server.sending.append(name)
        try:
            self.send(data, start, end)
        finally:
            self.server.sending.remove(name)
        if end < len(data):
            self.close_connection = True

    def send(self, data: bytes, start: int, end: int) -> None:
        for place in range(start, end, 1 << 14):
            piece = data[place : min(place + (1 << 14), end)]
            self.server.served += len(piece)  # counted before the other side can have it
            self.wfile.write(piece)
            if self.server.rate is not None:
                time.sleep(len(piece) / self.server.rate)

    def listing(self, path: str, query: dict[str, list[str]]) -> None:
        files = self.server.files()
        if "/revision/" in path and not path.endswith(("/main", self.server.commit)):
            self.refuse(404, "RevisionNotFound", "no such revision")
            return
        if "/tree/" in path:
            entries = [tree_entry(name, data) for name, data in files.items()]
            self.reply(200, json.dumps(entries).encode(), JSON)
            return
        siblings: list[dict[str, object]] = [{"rfilename": name} for name in files]
        if "blobs" in query and self.server.tells_sizes:
            siblings = [sibling(name, data) for name, data in files.items()]
        about = {"id": self.server.repository, "sha": self.server.commit, "siblings": siblings}
        self.reply(200, json.dumps({**about, "private": False, "tags": []}).encode(), JSON)

    def head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.head(status, {**headers, "Content-Length": str(len(body))})
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status: int, code: str, message: str) -> None:
        self.reply(status, b"{}", {"X-Error-Code": code, "X-Error-Message": message} if code else {})

    def log_message(self, *_: object) -> None:
        pass


JSON = {"Content-Type": "application/json"}


def sibling(name: str, data: bytes) -> dict[str, object]:
    """What a listing tells of a file."""
    about: dict[str, object] = {"rfilename": name, "size": len(data), "blobId": etag("", data)}
    if name.endswith(LARGE):
        about["lfs"] = {"sha256": etag(name, data), "size": len(data), "pointerSize": 134}
    return about


def tree_entry(name: str, data: bytes) -> dict[str, object]:
    """The same in the listing of a tree."""
    about: dict[str, object] = {"type": "file", "path": name, "size": len(data), "oid": etag("", data)}
    if name.endswith(LARGE):
        about["lfs"] = {"oid": etag(name, data), "size": len(data), "pointerSize": 134}
    return about


def visited(hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process ask `hub`: huggingface_hub has read its variables already, the caller's own are read anew."""
    from huggingface_hub import constants

    for name in ("HF_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(cache / "token"))
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}")


@contextmanager
def serving(folder: Path, repository: str) -> Iterator[Hub]:
    """A Hub for as long as the block runs."""
    hub = Hub(folder, repository)
    thread = threading.Thread(target=hub.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
