"""An attention kernel that cannot be had is refused before any weight is read, and the first reason is named."""

import dataclasses
import sys

import pytest
import torch

import llavacli_core as core
from llavacli_core.checkpoint import kernel, load
from llavacli_core.checkpoint.files import describe
from llavacli_core.errors import BadOption
from tests import flash

CUDA = torch.device("cuda", 0)


@pytest.fixture
def config(checkpoint):
    return describe(checkpoint("next-mistral")).model


@pytest.fixture
def ampere(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    return flash.install(monkeypatch)


@pytest.mark.usefixtures("ampere")
def test_what_is_asked_for(config):
    for name, chosen in (("auto", "sdpa"), ("sdpa", "sdpa"), ("eager", "eager"), ("flash", "flash")):
        assert kernel.choose_kernel(name, CUDA, torch.bfloat16, config) == chosen


@pytest.mark.usefixtures("ampere")
def test_flash_where_it_cannot_be(config, monkeypatch):
    wide = dataclasses.replace(config, decoder=dataclasses.replace(config.decoder, head_dim=288))
    with pytest.raises(BadOption, match="CUDA devices only, not on cpu"):
        kernel.choose_kernel("flash", torch.device("cpu"), torch.bfloat16, config)
    with pytest.raises(BadOption, match="not in float32"):
        kernel.choose_kernel("flash", CUDA, torch.float32, config)
    with pytest.raises(BadOption, match="up to 256, and this model's have 288"):
        kernel.choose_kernel("flash", CUDA, torch.float16, wide)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    with pytest.raises(BadOption, match="Ampere"):
        kernel.choose_kernel("flash", CUDA, torch.float16, config)


def test_without_the_package(config, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setitem(sys.modules, "flash_attn", None)
    with pytest.raises(BadOption, match="flash-attn") as caught:
        kernel.choose_kernel("flash", CUDA, torch.float16, config)
    assert "llavacli[flash]" in caught.value.hint


def test_nothing_is_read_before(checkpoint, monkeypatch):
    monkeypatch.setattr(load, "stored_tensors", lambda folder: pytest.fail("weights were looked for"))
    with pytest.raises(BadOption, match="flash"):
        core.load(checkpoint("llava-1.5"), device="cpu", attention="flash")
