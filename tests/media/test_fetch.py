"""Fetching follows http(s) alone and gives up in time, whatever a server sends or withholds."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from llavacli_core.errors import InputTooLarge, UrlError
from llavacli_core.media.fetch import fetch
from llavacli_core.media.source import read_source

BODY = bytes(range(256)) * 40


class Server(BaseHTTPRequestHandler):
    """Answers each path with one kind of good or bad manners."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[dict[str, str]] = {}

    def do_GET(self) -> None:
        Server.seen = dict(self.headers)
        name, _, rest = self.path.partition("?")[0].strip("/").partition("/")
        getattr(self, name, self.missing)(rest)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass

    def head(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def drip(self, data: bytes) -> None:
        """One byte at a time, for as long as somebody listens."""
        try:
            for byte in data:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(0.05)
        except OSError:
            pass

    def ok(self, _: str) -> None:
        self.head(200, Content_Length=len(BODY))
        self.wfile.write(BODY)

    def chunked(self, _: str) -> None:
        self.head(200, Transfer_Encoding="chunked")
        for start in range(0, len(BODY), 4096):
            piece = BODY[start : start + 4096]
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def endless(self, _: str) -> None:
        self.head(200)
        try:
            while True:
                self.wfile.write(BODY)
        except OSError:
            pass

    def boast(self, _: str) -> None:
        self.head(200, Content_Length=10**12)

    def short(self, _: str) -> None:
        self.head(200, Content_Length=len(BODY) + 5)
        self.wfile.write(BODY)

    def silent(self, _: str) -> None:
        time.sleep(1.5)

    def slow_body(self, _: str) -> None:
        self.head(200, Content_Length=1000)
        self.drip(bytes(1000))

    def slow_chunk_size(self, _: str) -> None:
        self.head(200, Transfer_Encoding="chunked")
        self.drip(b"0" * 1000)

    def slow_headers(self, _: str) -> None:
        self.drip(b"HTTP/1.1 200 OK\r\n" + b"X-Padding: y\r\n" * 50)

    def go(self, rest: str) -> None:
        """To the rest of the path, with a body that never ends."""
        self.send_response(302)
        self.send_header("Location", rest)
        self.end_headers()
        self.wfile.write(BODY)

    def umlaut(self, _: str) -> None:
        self.head(302, Location="/grün.png".encode().decode("latin-1"))

    def loop(self, _: str) -> None:
        self.head(307, Location="/loop")

    def teapot(self, _: str) -> None:
        self.head(418, Content_Length=0)

    def busy(self, _: str) -> None:
        self.head(503, Content_Length=0)

    def missing(self, _: str) -> None:
        if "gr%C3%BCn" in self.path:
            return self.ok("")
        return self.head(404, Content_Length=0)


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.mark.parametrize(
    "path", ["ok", "chunked", "go//ok", "go//go//go//chunked", "umlaut", "grün.png", "ok?q=a b#part"]
)
def test_the_whole_body_comes_back(base, path):
    assert fetch(f"{base}/{path}") == BODY


def test_the_program_says_who_it_is(base):
    fetch(f"{base}/ok")
    assert Server.seen["User-Agent"].startswith("llavacli/")


def test_a_source_may_be_a_url(base):
    source = read_source(f"{base}/ok")
    assert (source.name, source.data) == (f"{base}/ok", BODY)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nowhere", "404 Not Found"),
        ("teapot", "418"),
        ("busy", "503"),
        ("loop", "redirected more than 5 times"),
        ("short", "ended after 10240 of 10245 bytes"),
        ("go/file:///etc/passwd", "redirects to file, not http or https"),
        ("go/ftp://127.0.0.1/a.png", "redirects to ftp, not http or https"),
        ("go/data:image/png;base64,AAAA", "redirects to data, not http or https"),
    ],
)
def test_refusals_say_why(base, path, words):
    with pytest.raises(UrlError, match=words) as caught:
        fetch(f"{base}/{path}", timeout_s=5)
    assert str(caught.value).startswith(f"{base}/{path}: ")
    assert "\n" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("path", ["ok", "chunked", "endless", "boast"])
def test_too_many_bytes(base, path):
    with pytest.raises(InputTooLarge, match="more than"):
        fetch(f"{base}/{path}", max_bytes=len(BODY) - 1)


@pytest.mark.parametrize("path", ["silent", "slow_body", "slow_chunk_size", "slow_headers"])
def test_slowness_has_an_end(base, path):
    started = time.monotonic()
    with pytest.raises(UrlError, match="takes too long"):
        fetch(f"{base}/{path}", timeout_s=0.4, deadline_s=0.8)
    assert time.monotonic() - started < 5


def test_a_server_that_does_not_speak_http():
    for greeting in (b"SSH-2.0-OpenSSH_9.6\r\n", b"", b"\0\xff" * 50):
        with pytest.raises(UrlError, match="cannot be fetched"):
            fetch(once(lambda peer, words=greeting: peer.sendall(words)), timeout_s=5)


def test_no_tls_where_https_was_promised(base):
    with pytest.raises(UrlError, match="no secure connection"):
        fetch(base.replace("http:", "https:") + "/ok", timeout_s=5)


def test_nobody_listens():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UrlError, match="cannot be fetched"):
        fetch(f"http://127.0.0.1:{port}/a.png", timeout_s=5)


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://example.org/a.png", "http://", "https:///a.png", "http://[::1/a", "http://a:b/"],
)
def test_addresses_that_are_none(url):
    with pytest.raises(UrlError) as caught:
        fetch(url, timeout_s=5)
    assert "\n" not in str(caught.value)


def test_the_host_cannot_be_found():
    with pytest.raises(UrlError, match=r"cannot be (found|fetched)"):
        fetch("http://nowhere.invalid/a.png", timeout_s=5)


def once(answer: Callable[[socket.socket], None]) -> str:
    """The address of a server that reads one request, answers and hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener, listener.accept()[0] as peer:
            peer.recv(65536)
            answer(peer)

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}/"


def test_a_password_is_refused_and_not_shown() -> None:
    with pytest.raises(UrlError, match="passwords in addresses") as caught:
        fetch("http://user:secret@127.0.0.1:9/a.png")
    assert "secret" not in str(caught.value)
