"""Which device, which number format there, and what to say when its memory does not suffice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from llavacli_core.checkpoint.host import dtype_for, host_memory
from llavacli_core.errors import BadOption, OutOfMemory
from llavacli_core.nn.memory import lacks_memory

UNKNOWN = 8 * 2**30  # bytes, where a system does not say how many are free


def choose_device(name: str) -> torch.device:
    """auto, cpu, cuda, cuda:N or mps, as a device that is there."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (index and not index.isdecimal()) or (index and kind != "cuda"):
        raise BadOption(f"no device {name!r}", hint="auto, cpu, cuda, cuda:N or mps")
    if kind == "cuda":
        if not torch.cuda.is_available():
            raise BadOption("no CUDA device here", hint="--device cpu, or a torch built with CUDA and its driver")
        if index and int(index) >= torch.cuda.device_count():
            raise BadOption(f"no device {name!r}: there are {torch.cuda.device_count()}")
        return torch.device("cuda", int(index or torch.cuda.current_device()))
    if kind == "mps" and not torch.backends.mps.is_available():
        raise BadOption("no MPS device here", hint="--device cpu")
    return torch.device(kind)


def choose_dtype(name: str, device: torch.device, stored: str) -> torch.dtype:
    """The number format, as `host.dtype_for` has it."""
    return getattr(torch, dtype_for(name, device.type, stored))  # type: ignore[no-any-return]


@contextmanager
def memory_for(purpose: str, device: torch.device, hint: str) -> Iterator[None]:
    """Allocations inside that fail raise OutOfMemory, which says what the memory was for and what to do."""
    if device.type != "cpu":
        hint += ", or --device cpu"
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not lacks_memory(error):
            raise
        raise OutOfMemory(f"not enough memory on {device} for {purpose}", hint=hint) from error


def free_memory(device: torch.device) -> int:
    """Bytes that may still be taken on a device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    room = host_memory()
    return UNKNOWN if room is None else room.free
