"""The decoders of tokenizer.json, one token at a time: each stage passes on what no later token can change.

The `tokenizers` library decodes whole sequences. These stages give the very same text piece by piece, each following
the library's decoder of its name. A decoder not known here is fed all tokens at the end: exact, but not streamed.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

from tokenizers import Tokenizer as Backend
from tokenizers.decoders import Decoder

from llavacli_core.prompt.cleanup import clean_up, settled

Rewrite = Callable[[str], str]


class Stage(Protocol):
    """Tokens in, tokens (or pieces of text) out; `end` gives what was held back."""

    def feed(self, token: str) -> list[str]:
        """What is certain once this token is known."""

    def end(self) -> list[str]:
        """What was held back."""


class Each:
    """Rewrites every token on its own, the first one perhaps in another way."""

    def __init__(self, rewrite: Rewrite, first: Rewrite | None = None) -> None:
        self._rewrite, self._next = rewrite, first or rewrite

    def feed(self, token: str) -> list[str]:
        """The token, rewritten."""
        rewrite, self._next = self._next, self._rewrite
        return [rewrite(token)]

    def end(self) -> list[str]:
        """Nothing is held back."""
        return []


class ByteFallback:
    """Runs of `<0x..>` tokens become text, or one U+FFFD per byte if a run is not UTF-8: so each is held to its end."""

    _BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")

    def __init__(self) -> None:
        self._run = bytearray()

    def feed(self, token: str) -> list[str]:
        """The run that this token ends, and the token."""
        if byte := self._BYTE.fullmatch(token):
            self._run.append(int(byte[1], 16))
            return []
        return [*self.end(), token] if self._run else [token]

    def end(self) -> list[str]:
        """The run under way."""
        run, self._run = bytes(self._run), bytearray()
        try:
            return [run.decode()] if run else []
        except UnicodeDecodeError:
            return ["\ufffd"] * len(run)


class ByteLevelText:
    """Letters that stand for bytes become UTF-8 text; bytes that begin a character wait for the rest of it."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._bytes = _byte_of_letter()

    def feed(self, token: str) -> list[str]:
        """The characters completed by this token."""
        try:
            raw = bytes([self._bytes[letter] for letter in token])
        except KeyError:  # an added token with other letters stands for itself
            raw = token.encode()
        return [self._utf8.decode(raw)]

    def end(self) -> list[str]:
        """U+FFFD for a character cut short."""
        return [self._utf8.decode(b"", final=True)]


class StripStart:
    """Drops up to `count` characters `content` from the start of the whole text."""

    def __init__(self, content: str, count: int) -> None:
        self._content, self._left = content, count

    def feed(self, token: str) -> list[str]:
        """The piece, less what is still to be dropped."""
        while self._left and token:
            if token[0] != self._content:
                self._left = 0
                break
            token, self._left = token[1:], self._left - 1
        return [token]

    def end(self) -> list[str]:
        """Nothing is held back."""
        return []


class CleanUp:
    """Draws punctuation to the word before it, holding back what a following piece could still draw in."""

    def __init__(self) -> None:
        self._pending = ""

    def feed(self, token: str) -> list[str]:
        """The text that is settled now."""
        self._pending += token
        cut = settled(self._pending)
        ready, self._pending = self._pending[:cut], self._pending[cut:]
        return [clean_up(ready)]

    def end(self) -> list[str]:
        """The rest."""
        return [clean_up(self._pending)]


class Whole:
    """Any other decoder: everything is held until the end."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._tokens: list[str] = []

    def feed(self, token: str) -> list[str]:
        """Nothing yet."""
        self._tokens.append(token)
        return []

    def end(self) -> list[str]:
        """All of the text."""
        return [self._decoder.decode(self._tokens)]


def stages(backend: Backend, *, cleans_up: bool) -> list[Stage]:
    """The stages that together decode as `backend` does."""
    found = _of_decoder(backend.decoder)
    return [*found, CleanUp()] if cleans_up else found


def _of_decoder(decoder: Decoder | None) -> list[Stage]:
    if decoder is None:
        return [Each(lambda token: " " + token, first=lambda token: token)]
    spec = json.loads(decoder.__getstate__())
    found: list[Stage] = []
    fused = False  # once fused, what flows is pieces of one single token
    for part in spec["decoders"] if spec["type"] == "Sequence" else [spec]:
        stage = _after_fusing(part) if fused else _per_token(part)
        if stage is None:
            return [Whole(decoder)]
        found.append(stage)
        fused = fused or part["type"] in ("Fuse", "ByteLevel")
    return found


def _per_token(part: dict[str, Any]) -> Stage | None:
    """The stage of a decoder that sees separate tokens; None for one that is not known."""
    match part["type"]:
        case "ByteLevel":
            return ByteLevelText()
        case "ByteFallback":
            return ByteFallback()
        case "Fuse":
            return Each(lambda token: token)
        case "Replace" if part["pattern"].get("String"):
            pattern, content = part["pattern"]["String"], part["content"]
            return Each(lambda token: token.replace(pattern, content))
        case "Strip":
            return Each(lambda token: _strip(token, part["content"], part["start"], part["stop"]))
        case "Metaspace":
            space = part["replacement"]
            prefix = " " if part["prepend_scheme"] == "never" else ""
            return Each(lambda token: token.replace(space, " "), first=lambda token: token.replace(space, prefix))
        case "WordPiece":
            return _word_piece(part["prefix"], tidy=part["cleanup"])
        case _:
            return None


def _after_fusing(part: dict[str, Any]) -> Stage | None:
    """The stage of a decoder that sees the whole text as one token; None where it cannot be streamed."""
    if part["type"] == "Strip" and part["stop"] == 0:
        return StripStart(part["content"], part["start"])
    return Each(lambda token: token) if part["type"] == "Fuse" else None


def _strip(token: str, content: str, start: int, stop: int) -> str:
    """Up to `start` characters `content` less at the start, up to `stop` less at the end."""
    while start and token.startswith(content):
        token, start = token[1:], start - 1
    while stop and token.endswith(content):
        token, stop = token[:-1], stop - 1
    return token


def _word_piece(prefix: str, *, tidy: bool) -> Stage:
    """Words parted by spaces, continuations joined; `tidy` cleans each token up by itself, as the library does."""

    def cleaned(token: str) -> str:
        # the library's clean-up has one contraction more than transformers'; within one token it cannot matter
        # where in the order it comes
        return clean_up(token.replace(" do not", " don't")) if tidy else token

    def follow(token: str) -> str:
        return cleaned(token.removeprefix(prefix) if token.startswith(prefix) else " " + token)

    return Each(follow, first=cleaned)


@cache
def _byte_of_letter() -> dict[str, int]:
    """GPT-2's alphabet: printable Latin-1 letters stand for their own byte, the other bytes are U+0100 onwards."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {chr(byte): byte for byte in printable}
    letters.update({chr(0x100 + place): byte for place, byte in enumerate(others)})
    return letters
