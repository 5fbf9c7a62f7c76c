"""Weights as torch.save wrote them: one file or several, old form or new, and what is refused."""

import json
import pickle
import subprocess
import sys
import zipfile
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch.testing import assert_close

from llavacli_core.checkpoint import pickled
from llavacli_core.checkpoint.load import load_weights
from llavacli_core.errors import BrokenModel, MissingWeight, UnsupportedModel
from llavacli_core.families.registry import family_of
from llavacli_core.options import Placement
from tests.reference import captioners

PAIR = captioners.BY_NAME["vit+gpt2"]
SINGLE = "pytorch_model.bin"
INDEX = "pytorch_model.bin.index.json"


class Runs:
    """Pickles as a call of `print`."""

    def __reduce__(self):
        return print, ("run",)


@pytest.fixture(scope="module")
def safetensors(tmp_path_factory):
    """A checkpoint's folder with model.safetensors."""
    folder = tmp_path_factory.mktemp("safetensors")
    captioners.write(PAIR, folder)
    return folder


@pytest.fixture
def tensors(safetensors):
    return load_file(safetensors / "model.safetensors")


@pytest.fixture
def folder(safetensors, tmp_path):
    """The same without weights."""
    (tmp_path / "config.json").write_bytes((safetensors / "config.json").read_bytes())
    return tmp_path


def load(folder: Path, dtype: str = "float32") -> dict[str, torch.Tensor]:
    config = json.loads((folder / "config.json").read_text())
    family = family_of(config)
    placement = Placement(device="cpu", dtype=dtype)
    return load_weights(folder, family.read(config), family.names(config), placement).state_dict()


def save_shards(folder: Path, tensors: dict[str, torch.Tensor]) -> dict[str, str]:
    """Two shards; the index's weight_map."""
    names = sorted(tensors)
    weight_map = {}
    for part, share in enumerate((names[::2], names[1::2]), start=1):
        shard = f"pytorch_model-0000{part}-of-00002.bin"
        torch.save({name: tensors[name] for name in share}, folder / shard)
        weight_map.update(dict.fromkeys(share, shard))
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return weight_map


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("archive", [True, False], ids=["archive", "bare pickle"])
def test_a_bin_loads_as_safetensors_do(folder, safetensors, tensors, archive, dtype):
    torch.save(tensors, folder / SINGLE, _use_new_zipfile_serialization=archive)
    assert_close(load(folder, dtype), load(safetensors, dtype), rtol=0, atol=0)


def test_tied_tensors_metadata_and_old_buffers(folder, safetensors, tensors):
    state = OrderedDict(tensors)
    state["decoder.lm_head.weight"] = state["decoder.transformer.wte.weight"]
    state["decoder.transformer.h.0.attn.bias"] = torch.ones(1, 1, 40, 40, dtype=torch.uint8)
    state["decoder.transformer.h.0.attn.masked_bias"] = torch.tensor(-1e4)
    state._metadata = OrderedDict({"": {"version": 1}})  # as a module's state_dict has it
    torch.save(state, folder / SINGLE)
    assert_close(load(folder), load(safetensors), rtol=0, atol=0)


def test_parameters_are_tensors_too(folder, safetensors, tensors):
    torch.save({name: torch.nn.Parameter(tensor) for name, tensor in tensors.items()}, folder / SINGLE)
    assert_close(load(folder), load(safetensors), rtol=0, atol=0)


def test_shards(folder, safetensors, tensors):
    save_shards(folder, tensors)
    assert_close(load(folder), load(safetensors), rtol=0, atol=0)


def test_safetensors_come_first(folder, safetensors, tensors):
    (folder / "model.safetensors").write_bytes((safetensors / "model.safetensors").read_bytes())
    (folder / SINGLE).write_bytes(b"never read")
    (folder / INDEX).write_text("never read")
    assert_close(load(folder), load(safetensors), rtol=0, atol=0)


def test_a_shard_that_is_missing(folder, tensors):
    save_shards(folder, tensors)
    (folder / "pytorch_model-00002-of-00002.bin").unlink()
    with pytest.raises(BrokenModel, match=r"no pytorch_model-00002-of-00002\.bin"):
        load(folder)


def test_a_tensor_that_is_not_where_the_index_puts_it(folder, tensors):
    weight_map = save_shards(folder, tensors)
    weight_map["decoder.more"] = SINGLE.replace(".bin", "-00001-of-00002.bin")
    (folder / INDEX).write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(MissingWeight, match=r"decoder\.more"):
        load(folder)


@pytest.mark.parametrize("name", ["../weights.bin", "/etc/weights.bin", "weights.pkl"])
def test_an_index_may_not_lead_elsewhere(folder, name):
    (folder / INDEX).write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(BrokenModel, match="outside the folder"):
        load(folder)


@pytest.mark.parametrize("archive", [True, False], ids=["archive", "bare pickle"])
def test_a_pickle_that_would_run_code_is_not_run(folder, tensors, capfd, archive):
    torch.save({**tensors, "more": Runs()}, folder / SINGLE, _use_new_zipfile_serialization=archive)
    with pytest.raises(BrokenModel, match="could run code") as raised:
        load(folder)
    assert "safetensors" in raised.value.hint
    assert capfd.readouterr() == ("", "")


def test_a_pickle_without_torch_is_not_run(folder, capfd):
    (folder / SINGLE).write_bytes(pickle.dumps(Runs()))
    with pytest.raises(BrokenModel):
        load(folder)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("archive", [True, False], ids=["archive", "bare pickle"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.9])
def test_a_bin_cut_short(folder, tensors, archive, share):
    torch.save(tensors, folder / SINGLE, _use_new_zipfile_serialization=archive)
    data = (folder / SINGLE).read_bytes()
    (folder / SINGLE).write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BrokenModel, match="damaged or cut short"):
        load(folder)


@pytest.mark.parametrize("value", [b"<html>not here</html>", b"version https://git-lfs.github.com/spec/v1\n"])
def test_a_bin_that_is_something_else(folder, value):
    (folder / SINGLE).write_bytes(value)
    with pytest.raises(BrokenModel, match="damaged or cut short"):
        load(folder)


@pytest.mark.parametrize("archive", [True, False], ids=["archive", "bare pickle"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_bin_with_a_byte_changed_loads_or_is_an_error_of_ours(tmp_path, archive, data):
    file = tmp_path / SINGLE
    torch.save({"a": torch.arange(4.0), "b": torch.zeros(2)}, file, _use_new_zipfile_serialization=archive)
    content = bytearray(file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(content)
    with suppress(BrokenModel):
        assert all(isinstance(tensor, torch.Tensor) for tensor in pickled.read(file).values())


def test_a_compressed_archive(folder, tensors):
    torch.save(tensors, folder / "plain.bin")
    with (
        zipfile.ZipFile(folder / "plain.bin") as plain,
        zipfile.ZipFile(folder / SINGLE, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    with pytest.raises(BrokenModel, match="a compressed archive"):
        load(folder)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ([1, 2], "holds a list"),
        ({"epoch": 3}, "'epoch' .* no plain tensor, but int"),
        ({"model": {"a": torch.zeros(1)}}, "'model' .* no plain tensor, but (dict|OrderedDict)"),
        ({"a": torch.zeros(2, 2).to_sparse()}, "'a' .* no plain tensor"),
        ({3: torch.zeros(1)}, "3 .* no plain tensor"),
    ],
)
def test_a_bin_that_holds_no_tensors(folder, state, said):
    torch.save(state, folder / SINGLE)
    with pytest.raises(BrokenModel, match=said):
        load(folder)


def test_weights_in_another_format(folder, tensors):
    name = "decoder.transformer.wte.weight"
    torch.save({**tensors, name: tensors[name].double()}, folder / SINGLE)
    with pytest.raises(UnsupportedModel, match=f"{name} in {SINGLE} is stored as float64"):
        load(folder)


def test_no_weights_at_all(folder):
    with pytest.raises(BrokenModel, match=r"no model\.safetensors or pytorch_model\.bin"):
        load(folder)


MEASURE = """
import resource, sys
from pathlib import Path
import torch
from llavacli_core.checkpoint import stored
from llavacli_core.checkpoint.load import Reader
from dataclasses import replace
folder = Path(sys.argv[1])
torch.zeros(1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
reader = Reader()
kept = []
for tensor in stored.stored_tensors(folder):
    into = torch.empty(tensor.shape, dtype=torch.float16)
    reader.copy(tensor, into)
    kept.append(into)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024, sum(tensor.nbytes for tensor in kept))
"""


@pytest.mark.slow
def test_converting_an_archive_needs_little_more_memory_than_the_weights(tmp_path):
    torch.save({f"a.{i}": torch.zeros(8 * 2**20) for i in range(12)}, tmp_path / SINGLE)  # 384 MB, half of it kept
    root = Path(__file__).resolve().parents[2]
    result = subprocess.run(
        [sys.executable, "-c", MEASURE, tmp_path], cwd=root, check=True, capture_output=True, text=True
    )
    peak, kept = map(int, result.stdout.split())
    assert peak < kept + 2 * 64 * 2**20  # what is mapped at a time, and the tensor that goes beyond it
