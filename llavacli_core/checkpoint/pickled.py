"""Weights as torch.save wrote them (.bin): only plain tensors are taken, and nothing in the file is run."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from pathlib import Path

import torch
from torch import Tensor

from llavacli_core.errors import BrokenModel

ZIP = b"PK\x03\x04"  # torch 1.6 and later write an archive, which can be mapped; before, it was a bare pickle
FORMATS = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}


def read(file: Path) -> dict[str, Tensor]:
    """The file's tensors by name: mapped from disk, or read into memory where the form is the old one."""
    with file.open("rb") as opened:
        mappable = opened.read(len(ZIP)) == ZIP
    try:
        if mappable:
            _check_plain(file)
        with warnings.catch_warnings(action="ignore"):  # of old forms, on stderr, where the core never writes
            values = torch.load(file, map_location="cpu", weights_only=True, mmap=mappable)
    except pickle.UnpicklingError as error:
        if "GLOBAL" not in str(error):  # the opcode that names a function or class to call
            raise _damaged(file, error) from error
        raise BrokenModel(
            f"{file} holds more than tensors: reading it could run code, so it was not read",
            hint="use a checkpoint in safetensors; convert this one only if you trust where it comes from",
        ) from error
    except Exception as error:  # of a damaged file, the unpickler says anything from EOFError to UnicodeDecodeError
        raise _damaged(file, error) from error
    if not isinstance(values, dict):
        raise BrokenModel(f"{file} holds a {type(values).__name__}, not tensors by name", hint="it is no checkpoint")
    for name, value in values.items():
        if not isinstance(name, str) or not isinstance(value, Tensor) or value.layout != torch.strided:
            raise BrokenModel(
                f"{name!r:.80} in {file} is no plain tensor, but {type(value).__name__}",
                hint="the file is no plain checkpoint; a training state must be converted first",
            )
    return {name: value.detach() for name, value in values.items()}


def format_of(tensor: Tensor) -> str:
    """The number format under safetensors' name for it, or torch's where it is none that can be loaded."""
    return FORMATS.get(tensor.dtype, str(tensor.dtype).removeprefix("torch."))


def _check_plain(file: Path) -> None:
    """torch.save compresses nothing: an archive that is compressed was made to unpack to more than memory holds."""
    with zipfile.ZipFile(file) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise ValueError("a compressed archive")


def _damaged(file: Path, error: Exception) -> BrokenModel:
    _, _, reason = str(error).rpartition("WeightsUnpickler error: ")
    said = (reason.strip() or type(error).__name__).splitlines()[0]
    return BrokenModel(f"{file} is damaged or cut short: {said:.100}", hint="fetch the checkpoint again")
