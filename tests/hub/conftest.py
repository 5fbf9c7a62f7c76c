"""A repository of one small checkpoint on a fake Hub, and a cache of its own."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from llavacli_core.hub.cache import Repository
from llavacli_core.hub.shelf import plan_pull
from tests.hub.fake_hub import Hub, serving, visited

NAME = "org/tiny"
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


def safetensors(name: str, count: int) -> bytes:
    """A file that holds one tensor of so many bytes."""
    header = json.dumps({name: {"dtype": "U8", "shape": [count], "data_offsets": [0, count]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(index % 251 for index in range(count))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The repository's files: two shards, an index, and much that loading does not need."""
    folder = tmp_path / "repository"
    (folder / "onnx").mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "llava"}')
    (folder / "tokenizer.json").write_text("{}")
    (folder / "chat_template.jinja").write_text("")
    for name, shard in zip("ab", SHARDS, strict=True):
        (folder / shard).write_bytes(safetensors(name, 200_000))
    index = {"weight_map": dict(zip("ab", SHARDS, strict=True))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    for name in ("pytorch_model.bin", "README.md", "onnx/model.safetensors"):
        (folder / name).write_bytes(bytes(1000))
    return folder


@pytest.fixture
def hub(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The Hub that this process asks."""
    with serving(repository, NAME) as hub:
        visited(hub, tmp_path / "home", monkeypatch)
        yield hub


@pytest.fixture
def pulled(hub: Hub) -> Path:
    """The snapshot's folder, after a pull."""
    return pull().folder


@pytest.fixture
def cached(tmp_path: Path) -> Repository:
    """The repository's folder in the cache."""
    return Repository.of(NAME, tmp_path / "home" / "hub")


def pull(model: str = NAME, **how: object):
    """Pull to the end."""
    plan = plan_pull(model, **how)  # type: ignore[arg-type]
    for _ in plan.run():
        pass
    return plan
