"""A URL -> its bytes: http and https alone, no more of them and no longer than allowed, whatever the server does."""

from __future__ import annotations

import functools
import http.client
import io
import platform
import socket
import ssl
import string
import time
from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.error import URLError
from urllib.parse import quote, urljoin, urlsplit
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request

from llavacli_core.errors import CoreError, InputTooLarge, UrlError
from llavacli_core.media.names import shown
from llavacli_core.version import __version__

MAX_BYTES = 100 * 2**20
TIMEOUT_S = 20.0  # to connect, and between two pieces of the answer
DEADLINE_S = 120.0  # for everything together
MAX_REDIRECTS = 5
PIECE = 2**18

AGENT = f"llavacli/{__version__} (vision-language command line tool) Python/{platform.python_version()}"
HEADERS = {"User-Agent": AGENT, "Accept": "image/*,*/*;q=0.5"}

HINTS = {
    401: "it wants a login; download it in a browser, and give the file",
    403: "the site refuses programs; download it in a browser, and give the file",
    404: "check the address",
    410: "it is gone; look for a copy elsewhere",
    429: "wait a while, then try again",
}

Connect: TypeAlias = Callable[..., http.client.HTTPConnection]


def fetch(
    url: str, *, max_bytes: int = MAX_BYTES, timeout_s: float = TIMEOUT_S, deadline_s: float = DEADLINE_S
) -> bytes:
    """The bytes behind an http(s) URL, redirects followed.

    Raises InputTooLarge for more than `max_bytes`, and UrlError for everything else: another scheme (of a redirect,
    too), no connection, an HTTP error, silence for `timeout_s` seconds, or an answer not whole after `deadline_s`.
    """
    end = time.monotonic() + deadline_s
    opener = _opener(timeout_s, end)
    address = url
    try:
        for _ in range(MAX_REDIRECTS + 1):
            request = Request(_checked(address, url), headers=HEADERS)
            with opener.open(request, timeout=min(timeout_s, deadline_s)) as response:
                target = response.headers["Location"] if response.status in (301, 302, 303, 307, 308) else None
                if target is None:
                    return _body(response, url, max_bytes)
            # the body is not read, as it may have no end; http.client reads headers as Latin-1
            address = urljoin(address, quote(target, safe=string.punctuation, encoding="latin-1"))
    except CoreError:
        raise
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _failure(url, error) from error
    raise UrlError(f"{shown(url)}: redirected more than {MAX_REDIRECTS} times", hint="give the final address")


def _checked(address: str, url: str) -> str:
    """The address in ASCII; refused unless it is http or https and names a host."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https"):
        detour = "" if address == url else "redirects to "
        raise UrlError(
            f"{shown(url)}: {detour}{shown(parts.scheme) or 'no scheme'}, not http or https",
            hint="give an address that starts with https://",
        )
    if not parts.hostname:
        raise UrlError(f"{shown(url)}: names no host", hint="check the address")
    if "@" in parts.netloc:
        raise UrlError(
            f"{parts.scheme}://...@{shown(parts.hostname)}: names and passwords in addresses are not supported",
            hint="download it with a program that logs in, and give the file",
        )
    host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode()
    return quote(parts._replace(netloc=host).geturl(), safe=string.punctuation)


def _body(response: http.client.HTTPResponse, url: str, max_bytes: int) -> bytes:
    """The whole answer; refused if it is an error, too long, or cut short."""
    if not 200 <= response.status < 300:
        hint = HINTS.get(response.status, "try again later" if response.status >= 500 else "check the address")
        raise UrlError(f"{shown(url)}: the server answered {response.status} {shown(response.reason)}", hint=hint)
    size = response.length
    pieces, have = [], 0
    while have <= max_bytes and (size is None or size <= max_bytes) and (piece := response.read1(PIECE)):
        pieces.append(piece)
        have += len(piece)
    if max(have, size or 0) > max_bytes:
        raise InputTooLarge(
            f"{shown(url)}: more than {max_bytes / 2**20:.3g} MB", hint="give an address of a smaller version"
        )
    if size is not None and have < size:
        raise UrlError(f"{shown(url)}: the connection ended after {have} of {size} bytes", hint="try again")
    return b"".join(pieces)


def _failure(url: str, error: Exception) -> UrlError:
    """What went wrong on the way, in one line."""
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, TimeoutError):
        return UrlError(f"{shown(url)}: the server takes too long", hint="try again, or download it first")
    if isinstance(reason, socket.gaierror):
        return UrlError(f"{shown(url)}: the host cannot be found", hint="check the address and the network")
    if isinstance(reason, ssl.SSLError):
        return UrlError(f"{shown(url)}: no secure connection ({reason.reason})", hint="check the certificates")
    words = getattr(reason, "strerror", None) or " ".join(str(reason).split()) or type(reason).__name__
    return UrlError(f"{shown(url)}: cannot be fetched ({shown(words)})", hint="check the address and the network")


def _opener(timeout_s: float, end: float) -> OpenerDirector:
    """What speaks http and https, through the proxies of the environment, and nothing else: no file:, no ftp:."""

    def paced(connection: type[http.client.HTTPConnection]) -> Connect:
        def connect(host: str, **options: Any) -> http.client.HTTPConnection:
            made = connection(host, **options)
            made.response_class = functools.partial(_PacedResponse, timeout_s, end)  # type: ignore[assignment]
            return made

        return connect

    class Plain(HTTPHandler):
        def http_open(self, request: Request) -> http.client.HTTPResponse:
            return self.do_open(paced(http.client.HTTPConnection), request)

    class Secure(HTTPSHandler):
        def https_open(self, request: Request) -> http.client.HTTPResponse:
            return self.do_open(paced(http.client.HTTPSConnection), request)

    opener = OpenerDirector()
    for handler in (ProxyHandler(), Plain(), Secure()):
        opener.add_handler(handler)
    return opener


class _PacedResponse(http.client.HTTPResponse):
    """An answer that must be whole by `end`; headers and chunk sizes count, as a server may drip these as well."""

    def __init__(self, timeout_s: float, end: float, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_PacedStream(sock, timeout_s, end), PIECE)


class _PacedStream(io.RawIOBase):
    """A socket's bytes; every wait for them ends after `timeout_s` seconds, and at `end` in any case."""

    def __init__(self, sock: socket.socket, timeout_s: float, end: float) -> None:
        self.sock, self.timeout_s, self.end = sock, timeout_s, end
        self.bytes = sock.makefile("rb", buffering=0)  # keeps the socket open until this is closed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.sock.settimeout(min(self.timeout_s, left))
        return self.bytes.readinto(buffer)

    def close(self) -> None:
        self.bytes.close()
        super().close()
