"""The JSON record: one object per answer, its keys in the contract's order.

Text is UTF-8. Control characters (C0, C1, bidirectional, line separators) are escaped, so that a record is one line
to every reader and harmless on a terminal. A file name that is no UTF-8 keeps each such byte as a lone surrogate
(`\\udce9` for the byte E9), as Python has it: `os.fsencode(json.loads(line)["source"])` is the name again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from llavacli.failures import Failure
from llavacli.loading import model_name
from llavacli.options import ModelOptions

if TYPE_CHECKING:
    import llavacli_core as core
    from llavacli.request import Question, Request
    from llavacli.streams import Output

SCHEMA = "llavacli.result/1"
USAGE = ("prompt_tokens", "image_tokens", "cached_tokens", "completion_tokens")
TIMING = ("load", "prepare", "vision", "prefill", "decode", "total")
_UNSAFE = re.compile(r"[\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Records:
    """Writes one record per answer, at once and whole."""

    def __init__(self, output: Output, question: Question, options: ModelOptions, *, tokens: bool) -> None:
        self._output = output
        self._question = question
        self._unloaded = unloaded(model_name(options), options.revision)
        self._tokens = tokens
        self._load_told = False

    def piece(self, request: Request, text: str) -> None:
        """Nothing: a record is whole."""

    def done(self, request: Request, done: core.Done, engine: core.Engine) -> None:
        """Write the record of an answer, whole or interrupted."""
        load = 0.0 if self._load_told else engine.load_ms
        self._load_told = True
        record = self._record(request, engine.info, done.max_tokens)
        record |= answered(done, request.images, request.videos, load, tokens=self._tokens)
        self._output.write(line(record))

    def failed(self, request: Request, failure: Failure, info: core.ModelInfo | None) -> None:
        """Write the record of an error: nothing seen, nothing computed, nothing said."""
        self._output.write(line(self._record(request, info) | refused(failure)))

    def _record(self, request: Request, info: core.ModelInfo | None, max_tokens: int | None = None) -> dict[str, Any]:
        """A record with all its keys in order, and nothing in it yet."""
        return empty(
            source=request.source,
            prompt=self._question.prompt_for(request, info),
            system=self._question.system,
            model=self._unloaded if info is None else model(info),
            params=self._question.params(max_tokens),
            tokens=self._tokens,
        )


def empty(
    *,
    source: str | list[str] | None,
    prompt: str | None,
    system: str | None,
    model: Mapping[str, Any],
    params: Mapping[str, Any],
    tokens: bool,
) -> dict[str, Any]:
    """A record with all its keys in order, and nothing in it yet but what was asked."""
    record = {
        "schema": SCHEMA,
        "status": "ok",
        "source": source,
        "images": [],
        "videos": [],
        "prompt": prompt,
        "system": system,
        "text": None,
        "finish_reason": None,
        "model": model,
        "params": params,
        "usage": dict.fromkeys(USAGE, 0),
        "timing_ms": dict.fromkeys(TIMING, 0),
        "warnings": [],
        "error": None,
    }
    return record | {"prompt_text": None, "token_ids": None} if tokens else record


def answered(
    done: core.Done, pictures: Sequence[str], clips: Sequence[str], load: float, *, tokens: bool
) -> dict[str, Any]:
    """What an answer fills in, its pictures and clips by name; `load`, in ms, is no part of the total."""
    timing = {"load": load, **asdict(done.timing)}
    filled = {
        "status": "interrupted" if done.finish_reason == "interrupted" else "ok",
        "images": images(pictures, done.images),
        "videos": videos(clips, done.videos),
        "text": done.text,
        "finish_reason": done.finish_reason,
        "usage": asdict(done.usage),
        "timing_ms": {name: round(value) for name, value in timing.items()},
        "warnings": list(done.warnings),
    }
    return filled | {"prompt_text": done.prompt_text, "token_ids": list(done.token_ids)} if tokens else filled


def refused(failure: Failure) -> dict[str, Any]:
    """What an error fills in: nothing was seen, nothing computed, nothing said."""
    return {"status": "error", "error": error(failure)}


def line(record: Mapping[str, Any], *, indent: int | None = None, strict: bool = True) -> str:
    """A record as one line of JSON; with `indent`, as several, for a file that people read.

    NaN and infinities, which are no JSON, are a fault, unless they are another's, who wrote them so (not `strict`).
    """
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(record, ensure_ascii=False, allow_nan=not strict, separators=separators, indent=indent)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"


def error(failure: Failure) -> dict[str, str | None]:
    """What went wrong."""
    return {"code": failure.code, "message": failure.message, "hint": failure.hint}


def images(names: Sequence[str], seen: Sequence[core.SeenImage]) -> list[dict[str, Any]]:
    """The pictures that entered the prompt, under the names they were given by; `marks` only where there are any."""
    listed = [{**asdict(image), "source": name} for name, image in zip(names, seen, strict=True)]
    return [{key: value for key, value in image.items() if key != "marks" or value} for image in listed]


def videos(names: Sequence[str], seen: Sequence[core.SeenVideo]) -> list[dict[str, Any]]:
    """The clips that entered the prompt, under the names they were given by."""
    return [{**asdict(video), "source": name} for name, video in zip(names, seen, strict=True)]


def kinds_of(images: Sequence[object], videos: Sequence[object]) -> str:
    """What a prompt's image tokens are for, in words."""
    return " and ".join(kind for kind, seen in (("pictures", images), ("clips", videos)) if seen)


def model(info: core.ModelInfo) -> dict[str, Any]:
    """Which model answered; what is not known without its weights is null."""
    return {
        "id": info.id,
        "revision": info.revision,
        "family": info.family,
        "dtype": info.dtype,
        "quant": info.quant,
        "device": info.device,
        "template": info.template,
        "template_origin": info.template_origin,
    }


def unloaded(name: str, revision: str | None) -> dict[str, Any]:
    """A model that could not be loaded, or need not be."""
    unknown = dict.fromkeys(("family", "dtype", "quant", "device", "template", "template_origin"))
    return {"id": name, "revision": revision, **unknown}
