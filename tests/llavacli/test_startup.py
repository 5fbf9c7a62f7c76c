"""What must be quick loads nothing that is slow; the time itself is benchmarks/startup.py's."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from llavacli import app
from llavacli.command import Offer
from llavacli.signals import Stopper
from tests.llavacli.running import process

SHAPES = Path(__file__).parents[2] / "examples" / "shapes.png"
HEAVY = {"torch", "numpy", "PIL", "jinja2", "prompt_toolkit", "rich", "huggingface_hub", "tokenizers", "pydantic"}


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["-h"],
        ["--version"],
        ["chat", "--help"],
        ["caption", "--help"],
        ["describe", "--help"],
        ["mark", "--help"],
        ["descibe"],
        ["describe", "--modle", "x"],
        ["--show-completion"],
        [],
    ],
    ids=" ".join,
)
def test_help_loads_nothing_heavy(home: object, args: list[str]) -> None:
    code = (
        "import sys\nfrom llavacli.app import run\nfrom llavacli.signals import Stopper\n"
        "try: run(sys.argv[1:], Stopper())\nexcept SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    result = process([sys.executable, "-c", code, *args], text=True)
    loaded = set(result.stderr.splitlines()[-1].split())
    assert "typer" in loaded
    assert not HEAVY & loaded


def test_a_usage_error_loads_no_model(home: object) -> None:
    code = (
        "import sys\nfrom llavacli.app import run\nfrom llavacli.signals import Stopper\n"
        "assert run(sys.argv[1:], Stopper()) == 4\nprint(*sys.modules)"
    )
    result = process([sys.executable, "-c", code, "describe", "nope.png"], text=True)
    assert result.returncode == 0, result.stderr
    assert not {"torch", "numpy", "PIL", "jinja2", "tokenizers"} & set(result.stdout.split())


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["mark", "--help"], ["mark", "nope.png"]], ids=" ".join)
def test_only_the_command_that_runs_is_made(home: object, monkeypatch: pytest.MonkeyPatch, args: list[str]) -> None:
    made: list[str] = []

    def watched(name: str, each: Offer) -> Offer:
        return Offer(each.help, lambda: (made.append(name), each.make())[1])

    monkeypatch.setattr(app, "COMMANDS", {name: watched(name, each) for name, each in app.COMMANDS.items()})
    app.run(args, Stopper())
    assert made == [name for name in args[:1] if name in app.COMMANDS]


@pytest.mark.slow
def test_torch_comes_without_what_its_compilers_need_until_they_do(home: object) -> None:
    code = (
        "import sys\nfrom llavacli.app import run\nfrom llavacli.lean_torch import import_torch\n"
        "from llavacli.signals import Stopper\n"
        "assert run(sys.argv[1:], Stopper()) == 0\nassert 'torch._decomp' not in sys.modules\n"
        "import_torch(tracing=True)\nimport torch\nx = torch.rand(4, 4)\n"
        "same = torch.compile(lambda x: x.softmax(-1) @ x, backend='aot_eager', fullgraph=True)\n"
        "assert torch.equal(same(x), x.softmax(-1) @ x)"
    )
    result = process([sys.executable, "-c", code, "describe", str(SHAPES)], text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chosen", "waits"), [({}, "20000"), ({"OMP_WAIT_POLICY": "active"}, "None"), ({"GOMP_SPINCOUNT": "7"}, "7")]
)
def test_threads_wait_briefly_unless_the_user_has_it_otherwise(chosen: dict[str, str], waits: str) -> None:
    code = (
        "import os\nfrom llavacli.lean_torch import import_torch\nimport_torch(tracing=False)\n"
        "print(os.environ.get('GOMP_SPINCOUNT'))"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", *chosen)}
    result = process([sys.executable, "-c", code], env=environment | chosen, text=True)
    assert result.stdout.strip() == waits, result.stderr
