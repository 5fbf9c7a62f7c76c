"""Weights that lie on disk in another form than ours: transposed, or with dimensions of 1 in front."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from llavacli_core.checkpoint.load import fill
from llavacli_core.checkpoint.stored import stored_tensors
from llavacli_core.checkpoint.weights import make_plan
from llavacli_core.errors import MisshapenWeight
from llavacli_core.families.names.table import Table, Target
from llavacli_core.nn.linear import Linear

TABLE: Table = {
    "c.weight": Target("linear.weight", 0, transposed=True),
    "d.weight": Target("linear.weight", 1),
    "positions": Target("positions", squeezed=True),
}


class Network(nn.Module):
    """A stack of two matrices, and a table."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.linear = Linear(rows, 6, 3, bias=False)
        self.positions = nn.Parameter(torch.empty(rows, 8))


def filled(folder: Path, tensors: dict[str, Tensor], dtype: torch.dtype = torch.float32, rows: int = 4) -> Network:
    """A network of `rows` inputs from a file of these tensors."""
    save_file(tensors, folder / "model.safetensors")
    with torch.device("meta"):
        network = Network(rows)
    fill(network, make_plan(network, stored_tensors(folder), TABLE), lambda _: torch.device("cpu"), dtype)
    return network


def tensors(rows: int = 4) -> dict[str, Tensor]:
    return {"c.weight": torch.randn(rows, 6), "d.weight": torch.randn(3, rows), "positions": torch.randn(1, rows, 8)}


@pytest.mark.parametrize("rows", [4, 120_000], ids=["copied", "large enough to be mapped"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_they_take_our_form(rows, dtype, tmp_path):
    stored = tensors(rows)
    network = filled(tmp_path, stored, dtype, rows)
    expected = torch.cat((stored["c.weight"].T, stored["d.weight"])).to(dtype)
    x = torch.eye(3, rows, dtype=dtype)
    assert torch.equal(network.linear(x), x @ expected.T)
    assert torch.equal(network.positions, stored["positions"][0].to(dtype))


@pytest.mark.parametrize(
    ("name", "shape", "wanted"),
    [
        ("c.weight", (6, 4), r"\[6, 4\], config.json says \[4, 6\]"),
        ("d.weight", (4, 3), r"\[4, 3\], config.json says \[3, 4\]"),
        ("positions", (2, 4, 8), r"\[2, 4, 8\], config.json says \[1, 4, 8\]"),
        ("positions", (1, 5, 8), r"\[1, 5, 8\], config.json says \[1, 4, 8\]"),
        ("positions", (32,), r"\[32\], config.json says \[4, 8\]"),
    ],
)
def test_shapes_are_checked_as_they_lie(name, shape, wanted, tmp_path):
    with pytest.raises(MisshapenWeight, match=f"{name} in model.safetensors is {wanted}"):
        filled(tmp_path, tensors() | {name: torch.zeros(shape)})


def test_without_the_ones_in_front(tmp_path):
    stored = tensors()
    stored["positions"] = stored["positions"][0]
    assert torch.equal(filled(tmp_path, stored).positions, stored["positions"])
