"""What several rooms' tests share, made once a session: tiny checkpoints, the reference's answers, our engines."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.reference.answering import Answer, Reference

# On a busy machine anything may be slow; `CI` in the environment makes hypothesis draw the same examples each time.
settings.register_profile("llavacli", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("llavacli-ci", settings.get_profile("llavacli"), derandomize=True, database=None)
settings.load_profile("llavacli-ci" if os.environ.get("CI") else "llavacli")

# The matrices are small: threads would wait for each other, on a busy machine ten times as long as they compute.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes are started, which read what the first compiles
os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_PROGRESS_BARS="1", TRANSFORMERS_VERBOSITY="error")


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a base checkpoint (a name in `tests.reference.models`), as transformers writes it."""

    @cache
    def folder(base: str) -> Path:
        from tests.reference.checkpoints import write
        from tests.reference.models import BY_NAME

        path = tmp_path_factory.mktemp(base)
        write(BY_NAME[base], path)
        return path

    return folder


@pytest.fixture(scope="session")
def reference(checkpoint: Callable[[str], Path]) -> Callable[[str | Path], Reference]:
    """transformers with a base checkpoint, or a folder, loaded."""

    @cache
    def load(source: str | Path) -> Reference:
        import torch

        from tests.reference.answering import Reference

        torch.set_num_threads(1)
        return Reference(checkpoint(source) if isinstance(source, str) else source)

    return load


@pytest.fixture(scope="session")
def answer(reference: Callable[[str | Path], Reference]) -> Callable[[str | Path, str], Answer]:
    """What transformers makes of a case (a name in `tests.reference.cases`)."""

    @cache
    def ask(source: str | Path, case: str) -> Answer:
        from tests.reference import ANSWER_LENGTH
        from tests.reference.cases import BY_NAME

        return reference(source).answer(BY_NAME[case], ANSWER_LENGTH)

    return ask


@pytest.fixture(scope="session")
def engine(checkpoint: Callable[[str], Path]) -> Callable[[str | Path], Any]:
    """Our engine with a base checkpoint, or a folder, loaded: float32, on the CPU."""

    @cache
    def load(source: str | Path) -> Any:
        import llavacli_core as core

        folder = checkpoint(source) if isinstance(source, str) else source
        return core.load(str(folder), device="cpu", dtype="float32")

    return load
