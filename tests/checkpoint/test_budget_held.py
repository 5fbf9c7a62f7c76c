"""A memory budget on the CPU is kept: what is resident at the peak, beyond the program itself, is no more."""

import dataclasses
import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.reference.checkpoints import write
from tests.reference.models import BY_NAME, decoder

MIB = 2**20

CODE = """
import json, sys
import torch
import llavacli_core as core
from llavacli_core.engine.engine import Engine
folder, budget = sys.argv[1], int(sys.argv[2]) or None
torch.set_num_threads(1)
def resident(line):
    return next(int(row.split()[1]) * 1024 for row in open("/proc/self/status") if row.startswith(line))
warm = core.load("demo", device="cpu", dtype="float32")
question = [core.Message("user", "What is this?")]
list(warm.generate(question, core.Sampling(max_tokens=2)))
before = resident("VmRSS")
open("/proc/self/clear_refs", "w").write("5")
engine = core.load(folder, device="cpu", dtype="float32", max_memory=budget)
*_, done = engine.generate(question, core.Sampling(max_tokens=4))
print(json.dumps([resident("VmHWM") - before, engine.info.device, done.token_ids]))
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A checkpoint of 230 MB in float32, and the same in bfloat16, which must be converted."""
    text = decoder(
        "llama", hidden_size=512, intermediate_size=2048, num_hidden_layers=12, num_attention_heads=8,
        num_key_value_heads=2, max_position_embeddings=512, rope_theta=1e4,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("large")
    write(dataclasses.replace(BY_NAME["llava-1.5"], text=text), folder)
    half = tmp_path_factory.mktemp("half")
    for file in folder.iterdir():
        if file.suffix == ".safetensors":
            weights = {name: weight.to(torch.bfloat16) for name, weight in load_file(file).items()}
            save_file(weights, half / file.name, {"format": "pt"})
        else:
            (half / file.name).write_bytes(file.read_bytes())
    return {"mapped": folder, "converted": half}


def run(folder, budget):
    """Bytes at the peak, where it ran, and what it said, in a process of its own."""
    command = [sys.executable, "-c", CODE, str(folder), str(budget)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("kind", ["mapped", "converted"])
def test_the_peak_is_within_the_budget(kind, large):
    budget = 100 * MIB
    whole, place, said = run(large[kind], 0)
    assert place == "cpu"
    assert whole > 160 * MIB  # so that there is something to be saved
    peak, place, again = run(large[kind], budget)
    assert place == "cpu+disk"
    assert again == said
    assert peak <= 1.1 * budget  # the budget is for weights and what they compute; the heap has holes besides
