"""The tree keeps its rules: rooms look downward, nothing heavy happens on import, the door opens to every name."""

import subprocess
import sys
from pathlib import Path

import pytest

import llavacli_core as core

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"torch", "numpy", "PIL", "jinja2", "prompt_toolkit", "tokenizers", "huggingface_hub", "av"}


def modules_after(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after running `code`."""
    code += "\nimport sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    output = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    return set(output.stdout.splitlines()[-1].split())


def test_rooms_look_only_downward():
    lint = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([lint, "--no-cache"], cwd=ROOT, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_the_door_loads_nothing_heavy():
    loaded = modules_after("import llavacli_core as core; core.Sampling; core.Message; core.errors; core.__version__")
    assert not loaded & HEAVY


def test_the_processor_needs_no_torch():
    assert "torch" not in modules_after(
        "import llavacli_core as core; core.load_processor; core.Processor; core.download"
    )


@pytest.mark.parametrize("name", dir(core))
def test_every_public_name_is_there(name):
    assert getattr(core, name) is not None


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="LlavaLlava"):
        core.LlavaLlava  # noqa: B018
