"""Devices and number formats: as asked, or said to be impossible; memory that does not suffice is said too."""

import pytest
import torch

from llavacli_core.checkpoint import host, place
from llavacli_core.errors import BadOption, OutOfMemory

CPU = torch.device("cpu")


def test_the_cpu_is_always_there():
    assert place.choose_device("cpu") == CPU


@pytest.mark.parametrize("name", ["gpu", "cpu:1", "cuda:x", "", "mps:0", "cuda:"])
def test_strange_devices_are_refused(name):
    with pytest.raises(BadOption):
        place.choose_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_here():
    assert place.choose_device("auto").type != "cuda"
    with pytest.raises(BadOption, match="CUDA"):
        place.choose_device("cuda")


@pytest.mark.parametrize("bfloat16", [True, False])
def test_number_formats_on_a_cpu(monkeypatch, bfloat16):
    monkeypatch.setattr(host, "computes_bfloat16", lambda: bfloat16)
    assert place.choose_dtype("float16", CPU, "float32") == torch.float16
    assert place.choose_dtype("auto", CPU, "float32") == torch.float32
    half = torch.bfloat16 if bfloat16 else torch.float32
    assert place.choose_dtype("auto", CPU, "float16") == half
    assert place.choose_dtype("auto", CPU, "bfloat16") == half


def test_elsewhere_the_stored_format_is_kept():
    assert place.choose_dtype("auto", torch.device("cuda", 0), "float16") == torch.float16
    assert place.choose_dtype("auto", torch.device("cuda", 0), "bfloat16") == torch.bfloat16


def test_half_precision_on_mps():
    assert place.choose_dtype("auto", torch.device("mps"), "bfloat16") == torch.float16
    assert place.choose_dtype("auto", torch.device("mps"), "float32") == torch.float32
    assert place.choose_dtype("bfloat16", torch.device("mps"), "float16") == torch.bfloat16


def test_memory_that_does_not_suffice():
    with (
        pytest.raises(OutOfMemory, match="not enough memory on cpu for a test"),
        place.memory_for("a test", CPU, "less"),
    ):
        torch.empty(2**50)


@pytest.mark.parametrize(("device", "hint"), [("cpu", "less"), ("cuda", "less, or --device cpu")])
def test_the_cpu_is_advised_where_it_is_another_device(device, hint):
    with pytest.raises(OutOfMemory) as caught, place.memory_for("a test", torch.device(device), "less"):
        raise MemoryError
    assert caught.value.hint == hint


def test_other_faults_pass():
    with pytest.raises(RuntimeError, match="shapes"), place.memory_for("a test", CPU, "less"):
        torch.ones(2, 3) @ torch.ones(2, 3)
