"""Memory that fails, told from other errors; and what the system is told of pages."""

from __future__ import annotations

import ctypes
import mmap
import sys
from contextlib import suppress

import torch
from torch import Tensor

WORDS = ("can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")  # of errors that have no class of their own
AS_ON_DISK = (0b000, 0b101)  # a page that is not there, or is there and the file's: bits 61 to 63 of its entry


def lacks_memory(error: BaseException) -> bool:
    """Whether an error says that memory does not suffice."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(word in str(error) for word in WORDS)


def release(view: Tensor) -> None:
    """Let go of pages of a mapped file's tensor, which would be read anew; not if they were written to."""
    with suppress(OSError):  # a kernel that does not tell
        if sys.platform == "linux" and _is_as_on_disk(*_pages(view)):
            _advise(view, mmap.MADV_DONTNEED)


def in_small_pages(fresh: Tensor) -> Tensor:
    """The same, its memory not yet there: it will come in pages of 4 KB, whatever torch's allocator has asked for."""
    if sys.platform == "linux":
        _advise(fresh, mmap.MADV_NOHUGEPAGE)
    return fresh


def _pages(tensor: Tensor) -> tuple[int, int]:
    """Where whole pages of it begin, and how many bytes these have."""
    start = -(-tensor.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
    return start, max(0, (tensor.data_ptr() + tensor.nbytes - start) // mmap.PAGESIZE * mmap.PAGESIZE)


def _advise(tensor: Tensor, advice: int) -> None:
    """Tell the system about its pages."""
    start, length = _pages(tensor)
    ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), advice)


def _is_as_on_disk(start: int, length: int) -> bool:
    """Whether pages hold what a file holds: those of memory alone, or that were written to, would be lost."""
    if length == 0:
        return False
    with open("/proc/self/pagemap", "rb", buffering=0) as entries:
        entries.seek(start // mmap.PAGESIZE * 8)
        told = bytearray(entries.read(length // mmap.PAGESIZE * 8))
    kinds = torch.frombuffer(told, dtype=torch.int64) >> 61 & 0b111
    return len(kinds) == length // mmap.PAGESIZE and bool(torch.isin(kinds, torch.tensor(AS_ON_DISK)).all())
