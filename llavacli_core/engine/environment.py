"""What this installation runs on: versions, devices, optional libraries, the Hub's cache; what is broken is said."""

from __future__ import annotations

import logging
import os
import platform
import shutil
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path

from llavacli_core.checkpoint.host import Room, computes_bfloat16, host_memory, processor_name
from llavacli_core.version import __version__


@dataclass(frozen=True, kw_only=True)
class Torch:
    """torch, or why there is none; `cuda` is the version that it was built for."""

    version: str | None
    cuda: str | None = None
    mps: bool = False
    threads: int | None = None
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class Device:
    """What can compute."""

    device: str
    name: str
    bfloat16: bool  # whether it has arithmetic in it
    room: Room | None


@dataclass(frozen=True, kw_only=True)
class Library:
    """A library that is not needed, or why it does not work."""

    name: str
    use: str
    version: str | None
    problem: str | None
    hint: str | None


@dataclass(frozen=True, kw_only=True)
class Cache:
    """The Hub's cache: where it is, what its disk has room for, and whether the Hub may be asked."""

    folder: str
    free: int | None
    offline: bool
    endpoint: str


@dataclass(frozen=True, kw_only=True)
class Environment:
    """All of it."""

    version: str
    python: str
    platform: str
    torch: Torch
    devices: tuple[Device, ...]
    libraries: tuple[Library, ...]
    cache: Cache


OPTIONAL = (  # module, distribution, extra, what for
    ("bitsandbytes", "bitsandbytes", "quant", "--quant on CUDA, and bnb-8bit, bnb-4bit anywhere"),
    ("flash_attn", "flash-attn", "flash", "--attention flash"),
    ("decord", "decord", "decord", "a second decoder of clips"),
)


def environment() -> Environment:
    """Look at everything; loads torch and what optional libraries there are."""
    return Environment(
        version=__version__,
        python=platform.python_version(),
        platform=platform.platform(),
        torch=_torch(),
        devices=_devices(),
        libraries=tuple(_library(*each) for each in OPTIONAL),
        cache=_cache(),
    )


def _torch() -> Torch:
    """torch, or what importing it says."""
    try:
        import torch
    except Exception as error:
        return Torch(version=None, problem=_said(error))
    return Torch(
        version=torch.__version__,
        cuda=torch.version.cuda,
        mps=torch.backends.mps.is_available(),
        threads=torch.get_num_threads(),
    )


def _devices() -> tuple[Device, ...]:
    """The CPU, then what torch can compute on besides."""
    found = [Device(device="cpu", name=processor_name(), bfloat16=computes_bfloat16(), room=host_memory())]
    try:
        import torch

        if torch.backends.mps.is_available():
            found.append(Device(device="mps", name="Apple GPU", bfloat16=True, room=host_memory()))
        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            major, _ = torch.cuda.get_device_capability(index)
            found.append(
                Device(
                    device=f"cuda:{index}",
                    name=torch.cuda.get_device_name(index),
                    bfloat16=major >= 8,
                    room=Room(total=total, free=free),
                )
            )
    except Exception:  # a driver that does not answer; torch itself is reported on above
        return tuple(found)
    return tuple(found)


def _library(module: str, distribution: str, extra: str, use: str) -> Library:
    """An optional library as it is here: importing it is the only way to tell that it works."""
    hint = f"pip install 'llavacli[{extra}]'"
    try:
        version = metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return Library(name=distribution, use=use, version=None, problem="missing", hint=hint)
    logging.getLogger(module).setLevel(logging.ERROR)  # what it lacks itself is its own affair
    try:
        import_module(module)
    except Exception as error:
        said = f"installed, but does not load: {_said(error)}"
        return Library(name=distribution, use=use, version=version, problem=said, hint=hint)
    return Library(name=distribution, use=use, version=version, problem=None, hint=None)


def _cache() -> Cache:
    """The shared cache, as huggingface_hub finds it."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE)
    there = next((each for each in (folder, *folder.parents) if each.exists()), None)
    try:
        free = None if there is None else shutil.disk_usage(there).free
    except OSError:
        free = None
    return Cache(
        folder=os.fspath(folder), free=free, offline=bool(constants.HF_HUB_OFFLINE), endpoint=constants.ENDPOINT
    )


def _said(error: Exception) -> str:
    """An exception in one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
