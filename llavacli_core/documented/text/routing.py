"""The keywords of a processor's call, sorted by whom they are for: tokenizer, image processor, video processor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llavacli_core.documented.images.base import PARAMETERS
from llavacli_core.documented.text.keywords import KNOWN, heeded

PICTURES = (*PARAMETERS, "data_format", "input_data_format")
VIDEOS = ("num_frames", "fps", "do_sample_frames", "return_metadata", "video_metadata")


@dataclass(frozen=True)
class Routed:
    """Keywords for each part of a processor."""

    text: dict[str, Any]
    images: dict[str, Any]
    videos: dict[str, Any]
    return_tensors: Any


def route(given: Mapping[str, Any], default_tensors: str | None = None) -> Routed:
    """Keywords by themselves, or in `text_kwargs`, `images_kwargs`, `videos_kwargs`, `common_kwargs`, which win."""
    plain = dict(given)
    named = {kind: plain.pop(f"{kind}_kwargs", None) or {} for kind in ("text", "images", "videos", "common")}
    plain |= named["common"]
    tensors = plain.pop("return_tensors", default_tensors)
    for kind in named.values():
        tensors = kind.get("return_tensors", tensors)
    unknown = plain.keys() - {*KNOWN, *PICTURES, *VIDEOS}
    if unknown:
        raise TypeError(f"a processor has no parameter {sorted(unknown)[0]!r}")

    def chosen(names: tuple[str, ...], kind: str) -> dict[str, Any]:
        values = {name: plain[name] for name in names if name in plain} | named[kind]
        values.pop("return_tensors", None)
        return values

    return Routed(
        text=heeded(chosen(KNOWN, "text")),
        images=chosen(PICTURES, "images"),
        videos=chosen((*PICTURES, *VIDEOS), "videos"),
        return_tensors=tensors,
    )
