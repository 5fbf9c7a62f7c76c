"""`llavacli models info`: what a model is and costs, of folders, Hub ids and aliases, whole, in part and not there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import llavacli_core as core
from tests.hub.fake_hub import COMMIT, Hub, serving, visited
from tests.llavacli.running import Run

DEMO = Path(__file__).parents[2] / "llavacli_core" / "demo_checkpoint"
NAME = "org/tiny"


@pytest.fixture
def hub(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    shutil.copytree(DEMO, home / "repository")
    with serving(home / "repository", NAME) as hub:
        visited(hub, home / "hf", monkeypatch)
        yield hub


def records(result) -> dict:
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_the_demo(here: Run) -> None:
    about = records(here("models", "info", "--json"))
    assert about["schema"] == "llavacli.model/1"
    assert (about["id"], about["family"], about["missing"]) == ("demo", "llava_next", [])
    assert about["stored"] == {"BF16": about["parameters"]}
    text = here("models", "info", "demo").stdout.decode()
    assert "268 tokens at 640x480, in 5 tiles" in text
    assert "1024 positions" in text


def test_costs_are_those_of_a_dry_run(here: Run, home: Path) -> None:
    from PIL import Image as Pillow

    for picture in records(here("models", "info", "--json"))["pictures"]:
        Pillow.new("RGB", (picture["width"], picture["height"])).save("sample.png")
        plan = records(here("describe", "-q", "--dry-run", "--json", "sample.png"))
        assert plan["images"][0]["tokens"] == picture["tokens"]
        assert plan["images"][0]["tiles"] == picture["tiles"]


def test_the_prompt_is_that_of_a_dry_run(here: Run) -> None:
    about = records(here("models", "info", "--json", "--prompt"))
    plan = records(here("describe", "-q", "--dry-run", "--json", "-p", "What is in this image?", "a.png"))
    assert about["prompt"] == plan["prompt_text"]
    assert here("models", "info", "--prompt").stdout.decode().endswith(f"\n\n{about['prompt']}\n")


def test_what_is_not_there_is_told_of_with_the_line_that_fetches_it(home: Path, here: Run, monkeypatch) -> None:
    monkeypatch.setenv("HF_HOME", str(home / "hf"))
    for args in (["--offline"], []):  # the tests' environment is offline anyway
        result = here("models", "info", "llava-1.5-7b", *args)
        assert (result.returncode, result.stdout) == (5, b"")
        assert b"llava-hf/llava-1.5-7b-hf is not in the cache" in result.stderr
        assert b"llavacli models pull llava-hf/llava-1.5-7b-hf)" in result.stderr


def test_of_a_hub_id_the_small_files_alone_are_fetched(hub: Hub, here: Run, monkeypatch) -> None:
    about = records(here("models", "info", "--json", NAME))
    assert hub.served == 0
    assert (about["id"], about["revision"], about["family"]) == (NAME, COMMIT, "llava_next")
    assert about["missing"] == ["model.safetensors"]
    assert about["to_fetch"] == (DEMO / "model.safetensors").stat().st_size
    assert about["pull"] == f"llavacli models pull {NAME}"
    assert about["parameters"] > 1_800_000
    assert about["stored"] == {}
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    text = here("models", "info", NAME).stdout.decode()
    assert "missing     model.safetensors\n" in text
    assert f"pull        llavacli models pull {NAME}\n" in text
    assert "to fetch" not in text


def test_parameters_by_config_are_nearly_those_stored(here: Run, home: Path) -> None:
    whole = records(here("models", "info", "--json", "demo"))
    shutil.copytree(DEMO, home / "part")
    (home / "part" / "model.safetensors").unlink()
    part = records(here("models", "info", "--json", "part"))
    assert part["parameters"] == pytest.approx(whole["parameters"], rel=0.01)
    assert part["pull"] is None


@pytest.mark.parametrize(
    ("base", "family", "takes"),
    [
        ("llava-interleave", "llava", "several pictures at once, a prompt"),
        ("vip", "vipllava", "one picture at a time, a prompt, marks that it was trained on (--mark)"),
        ("video", "llava_next_video", "several pictures at once, clips, a prompt"),
    ],
)
def test_families(here: Run, home: Path, checkpoint: Callable[[str], Path], base: str, family: str, takes: str) -> None:
    folder = str(checkpoint(base))
    text = here("models", "info", folder).stdout.decode()
    assert f"takes       {takes}\n" in text
    about = records(here("models", "info", "--json", "--prompt", folder))
    assert about["family"] == family
    processor = core.load_processor(folder)
    assert about["positions"] == processor.info.max_positions
    assert (about["template"], about["template_origin"]) == (processor.info.template, processor.info.template_origin)
    assert about["prompt"].count(processor.image_token) == 1
    if base == "video":
        assert about["clip"]["tokens"] == about["clip"]["frames"] * about["clip"]["tokens_per_frame"]
        assert "clip        " in text
    else:
        assert about["clip"] is None
        assert "whatever its size" in text


def test_a_captioner_takes_no_prompt(here: Run, home: Path) -> None:
    from tests.parity.test_captions import small_files
    from tests.reference import captioners

    captioners.write(captioners.PAIRS[0], home / "captioner")
    small_files(home / "captioner")
    folder = "captioner"
    about = records(here("models", "info", "--json", "--prompt", folder))
    assert (about["takes_prompt"], about["template"], about["prompt"]) == (False, None, None)
    text = here("models", "info", folder).stdout.decode()
    assert "none: it captions pictures without a prompt" in text
    assert "no prompt" in text


def test_broken_folders(here: Run, home: Path) -> None:
    for name, config, said in (
        ("damaged", "{", b"damaged JSON"),
        ("strange", '{"model_type": "bark"}', b"'bark' is not supported"),
        ("bare", '{"model_type": "llava"}', b"preprocessor_config.json"),
    ):
        (home / name).mkdir()
        (home / name / "config.json").write_text(config)
        result = here("models", "info", name)
        assert result.returncode == 5, result
        assert said in result.stderr
        assert result.stderr.count(b"\n") == 1


def test_info_needs_no_torch(home: Path) -> None:
    import sys

    from tests.llavacli.running import process

    code = (
        "import sys\nfrom llavacli.app import run\nfrom llavacli.signals import Stopper\n"
        "run(sys.argv[1:], Stopper())\nprint(*sys.modules, file=sys.stderr)"
    )
    result = process([sys.executable, "-c", code, "models", "info", "demo"], text=True)
    assert "llava_next" in result.stdout
    assert not {"torch", "huggingface_hub"} & set(result.stderr.split())
