"""What a file of safetensors says of itself in its first bytes: tensors, formats, and how long it must be. No torch."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path

from llavacli_core.errors import BrokenModel

MOST_BYTES = 100_000_000  # of a header, as safetensors limits it
AGAIN = "fetch the checkpoint again"


@dataclass(frozen=True)
class Header:
    """A file's tensors by name, each with format and shape, and the length the file must have."""

    tensors: dict[str, tuple[str, tuple[int, ...]]]
    length: int


def read_header(file: Path) -> Header:
    """Read the header alone; raises BrokenModel where it is damaged."""
    try:
        with file.open("rb") as opened:
            (size,) = struct.unpack("<Q", opened.read(8))
            if size > MOST_BYTES:
                raise ValueError("no header")
            entries = json.loads(opened.read(size))
        entries.pop("__metadata__", None)
        tensors = {name: (entry["dtype"], tuple(entry["shape"])) for name, entry in entries.items()}
        end = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        struct.error,
        RecursionError,
    ) as error:
        raise BrokenModel(f"{file}: damaged or cut short within its header", hint=AGAIN) from error
    return Header(tensors, 8 + size + end)


def count_parameters(headers: list[Header]) -> dict[str, int]:
    """Numbers stored in each format."""
    counts: dict[str, int] = {}
    for header in headers:
        for kind, shape in header.tensors.values():
            counts[kind] = counts.get(kind, 0) + math.prod(shape)
    return counts
