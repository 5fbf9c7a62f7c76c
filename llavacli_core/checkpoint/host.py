"""The computer that this runs on: its memory, as the system and its containers allow it, and its processor.

Read from the system's own files, without torch.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ACCELERATORS = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/dev/kfd", "/dev/nvhost-gpu")  # CUDA, WSL, ROCm, Jetson


@dataclass(frozen=True, kw_only=True)
class Room:
    """Bytes of a device's memory: all of them, and those that may still be taken."""

    total: int
    free: int


def dtype_for(name: str, device: str, stored: str) -> str:
    """The number format: as asked; on its own the stored one, except on a CPU and on MPS.

    On a CPU half precision means bfloat16, and only where the processor computes in it: elsewhere float32 is faster. On
    MPS it means float16, which all of them have.
    """
    if name != "auto":
        return name
    if device == "mps" and stored != "float32":
        return "float16"
    if device != "cpu" or stored == "float32":
        return stored
    return "bfloat16" if computes_bfloat16() else "float32"


def host_memory(root: Path = Path("/")) -> Room | None:
    """The computer's memory, or as much of it as this process's control groups leave; None where it cannot be told.

    Free is what the system can give without swapping: pages of files that it can read again count as free.
    """
    try:
        stated = _numbers(root / "proc/meminfo", scale=1024)
        rooms = [Room(total=stated["MemTotal:"], free=stated["MemAvailable:"])]
    except (OSError, KeyError):
        return _portable()
    rooms += _limits(root)
    return Room(total=min(room.total for room in rooms), free=max(0, min(room.free for room in rooms)))


def free_swap(root: Path = Path("/")) -> int:
    """Bytes that can still be swapped out."""
    try:
        return _numbers(root / "proc/meminfo", scale=1024).get("SwapFree:", 0)
    except OSError:
        return 0


def may_have_accelerator() -> bool:
    """Whether there may be another device than the CPU. Where there is none for sure, torch need not be asked."""
    if not sys.platform.startswith("linux"):
        return True
    return any(os.path.exists(path) for path in ACCELERATORS)


def computes_bfloat16() -> bool:
    """Whether this CPU has bfloat16 arithmetic (AVX-512 BF16 or AMX), not merely the format."""
    return bool({"avx512_bf16", "amx_bf16"} & processor_flags())


def widens() -> bool:
    """Whether prompts in 16-bit formats are multiplied in float32, as `nn.product` does without AVX-512."""
    return bool(flags := processor_flags()) and "avx512bw" not in flags


def reorders() -> bool:
    """Whether weights in bfloat16 are put into oneDNN's order once there are some words, as `nn.settling` does."""
    return "avx512bw" in (flags := processor_flags()) and "amx_tile" not in flags


def has_amx() -> bool:
    """Whether products in bfloat16 are of tiles, as `nn.product` asks torch."""
    return "amx_tile" in processor_flags()


def processor_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> set[str]:
    """What an x86 processor can do, as Linux lists it; nothing elsewhere."""
    try:
        with cpuinfo.open(encoding="utf-8", errors="replace") as lines:
            return set(next((line for line in lines if line.startswith("flags")), "").split())
    except OSError:
        return set()


def processor_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """What the processor calls itself."""
    try:
        with cpuinfo.open(encoding="utf-8", errors="replace") as lines:
            named = next((line for line in lines if line.startswith("model name")), "")
    except OSError:
        named = ""
    if not named:
        import platform

        return platform.processor() or platform.machine()
    return named.partition(":")[2].strip()


def _limits(root: Path) -> Iterator[Room]:
    """The memory that each control group above this process may use, version 2 and version 1."""
    try:
        groups = (root / "proc/self/cgroup").read_text("utf-8").splitlines()
    except OSError:
        return
    for group in groups:
        _, controllers, path = group.split(":", 2)
        if not controllers:
            base, names = root / "sys/fs/cgroup", ("memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            base, names = root / "sys/fs/cgroup/memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        here = Path(path.strip("/"))
        for folder in (here, *here.parents):
            try:
                limit = int((base / folder / names[0]).read_text("ascii"))
                used = int((base / folder / names[1]).read_text("ascii"))
                stat = _numbers(base / folder / "memory.stat")
            except (OSError, ValueError):  # not here, or "max"
                continue
            files = stat.get("total_inactive_file", stat.get("inactive_file", 0))
            files += stat.get("total_active_file", stat.get("active_file", 0))
            yield Room(total=limit, free=limit - used + min(files, used))


def _numbers(file: Path, scale: int = 1) -> dict[str, int]:
    """A file of lines that are a name and a number."""
    rows = (line.split() for line in file.read_text("ascii", "replace").splitlines())
    return {row[0]: int(row[1]) * scale for row in rows if len(row) > 1 and row[1].isdigit()}


def _portable() -> Room | None:
    """All memory there is, where the system says no more; all of it counts as free then."""
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
    return Room(total=total, free=total)
