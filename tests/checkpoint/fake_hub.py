"""A Hub on this machine: enough of its interface for huggingface_hub to list and download one repository."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Serves the files of `folder` as `repository`; `asked` lists the paths that were requested."""

    def __init__(self, folder: Path, repository: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.repository = folder, repository
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()
        }


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(path)
        repository = self.server.repository
        if path.startswith(f"/{repository}/resolve/"):
            revision, _, name = path.removeprefix(f"/{repository}/resolve/").partition("/")
            self.file(revision, name)
        elif path.startswith(f"/api/models/{repository}"):
            self.listing(path)
        else:
            self.refuse(404, "RepoNotFound", "Repository not found")

    def file(self, revision: str, name: str) -> None:
        data = self.server.files().get(name)
        if revision not in ("main", COMMIT):
            self.refuse(404, "RevisionNotFound", f"no revision {revision}")
        elif data is None:
            self.refuse(404, "EntryNotFound", f"no file {name}")
        else:
            etag = hashlib.sha1(data).hexdigest()
            self.reply(200, data, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"})

    def listing(self, path: str) -> None:
        files = self.server.files()
        if "/tree/" in path:
            entries = [
                {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                for name, data in files.items()
            ]
            self.reply(200, json.dumps(entries).encode(), {"Content-Type": "application/json"})
        elif "/revision/" in path and not path.endswith(("/main", COMMIT)):
            self.refuse(404, "RevisionNotFound", "no such revision")
        else:
            siblings = [{"rfilename": name, "size": len(data)} for name, data in files.items()]
            about = {"id": self.server.repository, "sha": COMMIT, "siblings": siblings, "private": False, "tags": []}
            self.reply(200, json.dumps(about).encode(), {"Content-Type": "application/json"})

    def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status: int, code: str, message: str) -> None:
        self.reply(status, b"{}", {"X-Error-Code": code, "X-Error-Message": message})

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(folder: Path, repository: str) -> Iterator[Hub]:
    """A Hub for as long as the block runs."""
    hub = Hub(folder, repository)
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
