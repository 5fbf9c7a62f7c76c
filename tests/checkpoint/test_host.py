"""What the system says of its memory, and what its containers leave of that."""

from pathlib import Path

import pytest

from llavacli_core.checkpoint import host
from llavacli_core.checkpoint.host import Room, dtype_for, free_swap, host_memory, processor_flags

GIB = 2**30


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A computer of 16 GiB, 12 of which are free, whose processes are in no group."""
    (tmp_path / "proc/self").mkdir(parents=True)
    meminfo = {"MemTotal": 16, "MemFree": 2, "MemAvailable": 12, "SwapFree": 3}
    (tmp_path / "proc/meminfo").write_text("".join(f"{name}:  {size * 2**20} kB\n" for name, size in meminfo.items()))
    (tmp_path / "proc/self/cgroup").write_text("0::/\n")
    return tmp_path


def group(root: Path, path: str, **files: object) -> None:
    folder = root / "sys/fs/cgroup" / path
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(f"{content}\n")


def test_without_a_limit(root):
    assert host_memory(root) == Room(total=16 * GIB, free=12 * GIB)
    assert free_swap(root) == 3 * GIB


def test_a_container_of_version_2(root):
    stat = f"anon {2 * GIB}\ninactive_file {GIB}\nactive_file 0"
    group(root, "", memory__max=4 * GIB, memory__current=3 * GIB, memory__stat=stat)
    assert host_memory(root) == Room(total=4 * GIB, free=2 * GIB)  # the file's pages can be had


def test_the_tightest_group_counts(root):
    (root / "proc/self/cgroup").write_text("0::/outer/inner\n")
    group(root, "outer", memory__max=6 * GIB, memory__current=GIB, memory__stat="")
    group(root, "outer/inner", memory__max="max", memory__current=GIB, memory__stat="")
    assert host_memory(root) == Room(total=6 * GIB, free=5 * GIB)


def test_a_container_of_version_1(root):
    (root / "proc/self/cgroup").write_text("5:cpu:/a\n4:memory:/a\n0::/\n")
    stat = f"total_inactive_file {GIB}"
    group(root, "memory/a", memory__limit_in_bytes=8 * GIB, memory__usage_in_bytes=2 * GIB, memory__stat=stat)
    assert host_memory(root) == Room(total=8 * GIB, free=7 * GIB)


def test_a_limit_beyond_what_there_is(root):
    group(root, "", memory__max=2**62, memory__current=0, memory__stat="")
    assert host_memory(root) == Room(total=16 * GIB, free=12 * GIB)


def test_a_group_that_is_over_its_limit(root):
    group(root, "", memory__max=GIB, memory__current=2 * GIB, memory__stat="")
    assert host_memory(root).free == 0


def test_a_system_that_says_nothing(tmp_path):
    room = host_memory(tmp_path)
    assert room is None or room.free == room.total > 0
    assert free_swap(tmp_path) == 0
    assert processor_flags(tmp_path / "cpuinfo") == set()


def test_this_computer():
    room = host_memory()
    assert room is None or 0 < room.free <= room.total


@pytest.mark.parametrize(("flags", "expected"), [("fpu avx512_bf16", "bfloat16"), ("fpu avx2", "float32")])
def test_half_precision_where_the_processor_computes_in_it(monkeypatch, tmp_path, flags, expected):
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags\t\t: {flags}\n")
    found = processor_flags(tmp_path / "cpuinfo")
    monkeypatch.setattr(host, "processor_flags", lambda: found)
    assert dtype_for("auto", "cpu", "float16") == expected
    assert dtype_for("auto", "cuda", "float16") == "float16"
    assert dtype_for("auto", "cpu", "float32") == "float32"
    assert dtype_for("float16", "cpu", "float32") == "float16"
