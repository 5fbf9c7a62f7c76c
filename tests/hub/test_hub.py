"""A Hub id becomes a folder of the shared cache: fetched once, refused early, found again offline."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from llavacli_core.errors import ModelMissing
from llavacli_core.hub.locate import locate
from tests.hub.fake_hub import COMMIT, serving

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "llavacli_core" / "demo_checkpoint"
TINY = {"model_type": "llava"}


def ask(code: str, cache: Path, endpoint: str = "http://127.0.0.1:9", **env: str) -> dict:
    """Run `code`, which fills `answer`, in a process of its own: huggingface_hub reads its settings on import."""
    frame = f"""
import json, llavacli_core as core
from llavacli_core.hub.locate import locate
from llavacli_core.errors import ModelMissing
answer = {{}}
def failing(run):
    try:
        run()
    except core.errors.CoreError as error:
        return [type(error).__name__, error.code, str(error), error.hint]
{code}
print(json.dumps(answer))
"""
    settings = {"HF_HOME": str(cache), "HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_TELEMETRY": "1"}
    environment = {**os.environ, **settings, **env}
    result = subprocess.run(
        [sys.executable, "-c", frame], cwd=ROOT, env=environment, check=False, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""  # the core never prints, and neither does what it calls
    return json.loads(result.stdout)


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(TINY))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(bytes(300_000))
    (folder / "pytorch_model.bin").write_bytes(bytes(1000))
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.safetensors").write_bytes(bytes(1000))
    return folder


def test_download_then_offline(repository, tmp_path):
    with serving(repository, "org/tiny") as hub:
        small = ask(
            'answer["files"] = sorted(path.name for path in locate("org/tiny", weights=False).folder.iterdir())',
            tmp_path / "cache",
            hub.url,
        )
        assert small["files"] == ["config.json", "tokenizer.json"]
        answer = ask(
            """
answer["before"] = core.is_cached("org/tiny")
answer["progress"] = [(step.done, step.total) for step in core.download("org/tiny")]
answer["after"] = core.is_cached("org/tiny")
located = locate("org/tiny")
answer["located"] = [located.id, located.revision, sorted(path.name for path in located.folder.iterdir())]
""",
            tmp_path / "cache",
            hub.url,
        )
    assert (answer["before"], answer["after"]) == (False, True)
    done, total = answer["progress"][-1]
    assert done == total >= 300_000
    assert answer["located"] == ["org/tiny", COMMIT, ["config.json", "model.safetensors", "tokenizer.json"]]
    again = ask(
        'answer["id"] = locate("org/tiny", offline=True).id', tmp_path / "cache", HF_HUB_OFFLINE="1"
    )  # nobody listens
    assert again["id"] == "org/tiny"


FETCHED = 'answer["files"] = sorted(path.name for path in locate("org/tiny").folder.iterdir())'


def test_pickled_weights_are_fetched_where_there_are_no_others(repository, tmp_path):
    (repository / "model.safetensors").unlink()
    with serving(repository, "org/tiny") as hub:
        answer = ask(FETCHED, tmp_path / "cache", hub.url)
    assert answer["files"] == ["config.json", "pytorch_model.bin", "tokenizer.json"]
    again = ask('answer["cached"] = core.is_cached("org/tiny")', tmp_path / "cache", HF_HUB_OFFLINE="1")
    assert again["cached"]


def test_pickled_shards(repository, tmp_path):
    for name in ("model.safetensors", "pytorch_model.bin"):
        (repository / name).unlink()
    shards = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]
    index = json.dumps({"weight_map": dict(zip("ab", shards, strict=True))})
    (repository / "pytorch_model.bin.index.json").write_text(index)
    (repository / shards[0]).write_bytes(bytes(1000))
    with serving(repository, "org/tiny") as hub:
        lacking = ask('answer["error"] = failing(lambda: locate("org/tiny"))', tmp_path / "cache", hub.url)
        assert lacking["error"][2] == f"org/tiny lacks {shards[1]}"
        (repository / shards[1]).write_bytes(bytes(1000))
        answer = ask(FETCHED, tmp_path / "other", hub.url)
    assert answer["files"] == ["config.json", *shards, "pytorch_model.bin.index.json", "tokenizer.json"]


@pytest.mark.parametrize("names", [["merges.txt", "vocab.json"], ["vocab.txt"], ["sentencepiece.bpe.model"]])
def test_a_vocabulary_in_parts_stands_in_for_a_tokenizer_json(repository, tmp_path, names):
    for name in (*names, "tokenizer.model", "README.md", "training_args.bin"):
        (repository / name).write_text("{}")
    with serving(repository, "org/tiny") as hub:
        whole = ask(FETCHED, tmp_path / "cache", hub.url)["files"]
        (repository / "tokenizer.json").unlink()
        parts = ask(FETCHED, tmp_path / "other", hub.url)["files"]
    json_files = [name for name in names if name.endswith(".json")]
    assert whole == sorted(["config.json", "model.safetensors", "tokenizer.json", *json_files])
    assert parts == sorted(["config.json", "model.safetensors", *names])


def test_half_a_captioner_needs_no_words_and_no_family(repository, tmp_path):
    (repository / "config.json").write_text('{"model_type": "vit"}')
    (repository / "tokenizer.json").unlink()
    half = 'answer["files"] = sorted(path.name for path in locate("org/tiny", words=False).folder.iterdir())'
    with serving(repository, "org/tiny") as hub:
        answer = ask(half, tmp_path / "cache", hub.url)
    assert answer["files"] == ["config.json", "model.safetensors"]
    assert ask(half, tmp_path / "cache", HF_HUB_OFFLINE="1") == answer


def test_an_unknown_family_is_refused_before_its_weights_are_fetched(repository, tmp_path):
    (repository / "config.json").write_text('{"model_type": "bark"}')
    with serving(repository, "org/tiny") as hub:
        answer = ask('answer["error"] = failing(lambda: locate("org/tiny"))', tmp_path / "cache", hub.url)
    name, code, message, hint = answer["error"]
    assert (name, code) == ("UnsupportedModel", "model_unsupported")
    assert "bark" in message
    assert "llava_next" in hint
    assert not any("safetensors" in path for path in hub.asked)


def test_what_is_not_there(repository, tmp_path):
    for name in ("model.safetensors", "pytorch_model.bin"):
        (repository / name).unlink()
    with serving(repository, "org/tiny") as hub:
        answer = ask(
            """
answer["nobody"] = failing(lambda: locate("org/nobody"))
answer["revision"] = failing(lambda: locate("org/tiny", revision="v9"))
answer["weights"] = failing(lambda: locate("org/tiny"))
answer["offline"] = failing(lambda: locate("llava-1.5-7b", offline=True))
""",
            tmp_path / "cache",
            hub.url,
        )
    assert answer["nobody"][1] == "model_missing"
    assert "org/nobody" in answer["nobody"][2]
    assert answer["revision"][1] == "model_missing"
    assert "v9" in answer["revision"][2]
    assert answer["weights"][1] == "model_broken"
    assert "model.safetensors" in answer["weights"][2]
    assert answer["offline"][1] == "model_missing"
    assert "llava-hf/llava-1.5-7b-hf" in answer["offline"][2]


def test_no_network_is_one_line(tmp_path):
    answer = ask('answer["error"] = failing(lambda: locate("org/tiny"))', tmp_path / "cache")
    _, code, message, hint = answer["error"]
    assert code == "model_missing"
    assert "\n" not in message
    assert hint


def test_what_is_no_model(tmp_path):
    (tmp_path / "empty").mkdir()
    answer = ask(
        f"""
answer["folder"] = failing(lambda: locate({str(tmp_path / "empty")!r}))
answer["path"] = failing(lambda: locate("./nothing"))
answer["word"] = failing(lambda: locate("nothing"))
answer["blank"] = failing(lambda: locate(""))
""",
        tmp_path / "cache",
    )
    assert "config.json" in answer["folder"][2]
    assert {answer[name][1] for name in ("folder", "path", "word")} == {"model_missing"}
    assert answer["blank"][1] == "option"


@pytest.mark.skipif(not (DEMO / "config.json").is_file(), reason="the demo checkpoint is not built yet")
def test_the_demo_needs_no_hub(tmp_path):
    answer = ask(
        'answer["id"] = core.load_processor("demo").info.id; answer["cached"] = core.is_cached("demo")',
        tmp_path / "cache",
        HF_HUB_OFFLINE="1",
    )
    assert answer == {"id": "demo", "cached": True}


def test_a_folder_may_be_a_path_object(repository):
    located = locate(repository)
    assert (located.id, located.folder, located.revision) == (str(repository), repository, None)


@pytest.mark.parametrize("name", ["./nonexistent", "../nope", "-x/y", "a--b/c", "org/name.git", "org/na..me", "a/b/c"])
def test_what_is_no_hub_id(name):
    with pytest.raises(ModelMissing, match="neither a folder nor a Hub id"):
        locate(name)


def test_a_file_is_no_checkpoint(repository):
    with pytest.raises(ModelMissing, match="is a file, not a folder"):
        locate(repository / "config.json")
