"""Large tensors in large pages are tensors like any other."""

from __future__ import annotations

import gc
import mmap
from pathlib import Path
from typing import NoReturn

import pytest
import torch

from llavacli_core.checkpoint.pages import LEAST, empty
from llavacli_core.checkpoint.place import memory_for
from llavacli_core.errors import OutOfMemory

CPU = torch.device("cpu")
LARGE = (3, LEAST // 4)


@pytest.mark.parametrize("shape", [(), (0, 7), (3, 5), LARGE])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int8])
def test_shape_and_format_are_as_asked(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    made = empty(shape, dtype, CPU)
    assert (tuple(made.shape), made.dtype, made.device, made.is_contiguous()) == (shape, dtype, CPU, True)


def test_a_view_keeps_its_memory() -> None:
    row = empty(LARGE, torch.float32, CPU).fill_(2.0)[1]
    gc.collect()
    assert row.sum() == 2.0 * LARGE[1]


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="tells where Linux says it")
def test_linux_is_asked_for_large_pages() -> None:
    made = empty(LARGE, torch.float32, CPU)
    lines = iter(Path("/proc/self/smaps").read_text().splitlines())
    for line in lines:
        bounds = line.split()[0].split("-")
        if len(bounds) == 2 and int(bounds[0], 16) <= made.data_ptr() < int(bounds[1], 16):
            break
    flags = next(line for line in lines if line.startswith("VmFlags"))
    assert "hg" in flags.split()


@pytest.mark.skipif(not hasattr(mmap, "MADV_HUGEPAGE"), reason="torch's own allocation")
def test_no_room_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> NoReturn:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(mmap, "mmap", full)
    with pytest.raises(OutOfMemory, match="the weights"), memory_for("the weights", CPU, hint="-"):
        empty(LARGE, torch.float32, CPU)
