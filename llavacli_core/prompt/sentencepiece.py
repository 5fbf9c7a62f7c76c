"""SentencePiece's model file, read as far as its pieces and its table of characters: a protocol buffer.

The messages and their numbers are in sentencepiece_model.proto of github.com/google/sentencepiece.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from llavacli_core.errors import BrokenModel
from llavacli_core.prompt.files import MOST_BYTES, PULL_AGAIN

PIECES, NORMALIZER = 1, 3  # of the model
TEXT, SCORE, KIND = 1, 2, 3  # of a piece
CHARACTERS = 2  # of the normalizer: its precompiled table
NORMAL, CONTROL, USER_DEFINED = 1, 3, 4  # kinds of pieces

VARINT, EIGHT_BYTES, COUNTED, FOUR_BYTES = 0, 1, 2, 5  # how a field's value is written


@dataclass(frozen=True)
class Piece:
    """A piece of the vocabulary."""

    text: str
    score: float
    kind: int


@dataclass(frozen=True)
class Model:
    """What a tokenizer is made of."""

    pieces: list[Piece]
    characters: bytes  # how characters are normalised, precompiled; empty: as they are


def read_model(path: Path) -> Model:
    """The file's pieces and characters; a damaged file is an error that names it."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"larger than {MOST_BYTES >> 20} MB")
        fields = list(_fields(path.read_bytes()))
        pieces = [_piece(_counted(value)) for number, value in fields if number == PIECES]
        normalizer = b"".join(_counted(value) for number, value in fields if number == NORMALIZER)
        characters = b"".join(_counted(value) for number, value in _fields(normalizer) if number == CHARACTERS)
    except (OSError, ValueError, IndexError, struct.error) as error:
        raise BrokenModel(f"{path}: no SentencePiece model, or damaged ({error})", hint=PULL_AGAIN) from error
    if not pieces:
        raise BrokenModel(f"{path}: a SentencePiece model without pieces", hint=PULL_AGAIN)
    return Model(pieces, characters)


def _piece(data: bytes) -> Piece:
    """One piece; what is not said is an empty text, no score, of the normal kind."""
    values = dict(_fields(data))
    (score,) = struct.unpack("<f", _counted(values.get(SCORE, bytes(4))))
    kind = values.get(KIND, NORMAL)
    return Piece(_counted(values.get(TEXT, b"")).decode("utf-8"), score, kind if isinstance(kind, int) else NORMAL)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message, in order: number, and value as a whole number or as bytes."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        number, form = key >> 3, key & 7
        if form == VARINT:
            value, place = _varint(data, place)
            yield number, value
            continue
        if form == COUNTED:
            length, place = _varint(data, place)
        elif form in (EIGHT_BYTES, FOUR_BYTES):
            length = 8 if form == EIGHT_BYTES else 4
        else:
            raise ValueError(f"a field of unknown form {form}")
        if place + length > len(data):
            raise ValueError("cut short")
        yield number, data[place : place + length]
        place += length


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """A whole number, seven bits to a byte, the lowest first; and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("a number without end")


def _counted(value: int | bytes) -> bytes:
    """The bytes of a field that must hold bytes."""
    if isinstance(value, int):
        raise ValueError("a number where bytes belong")
    return value
