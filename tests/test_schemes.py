"""Schemes of quantization: what is chosen where, and what a matrix takes up."""

import pytest

from llavacli_core.errors import BadOption
from llavacli_core.schemes import BNB_8BIT, BNB_NF4, INT4, INT8, group_size, quantizes, scheme_for


@pytest.mark.parametrize(
    ("asked", "device", "expected"),
    [
        (None, "cpu", None),
        ("none", "cuda", None),
        ("8bit", "cpu", INT8),
        ("4bit", "cpu", INT4),
        ("8bit", "cuda", BNB_8BIT),
        ("4bit", "cuda", BNB_NF4),
        ("bnb-8bit", "cpu", BNB_8BIT),
        ("bnb-4bit", "cpu", BNB_NF4),
        ("bnb-4bit", "cuda", BNB_NF4),
    ],
)
def test_torch_quantizes_on_a_cpu_and_bitsandbytes_elsewhere(asked, device, expected):
    assert scheme_for(asked, device) is expected


@pytest.mark.parametrize(("asked", "device"), [("3bit", "cpu"), ("", "cpu"), ("8bit", "mps"), ("bnb-4bit", "mps")])
def test_what_cannot_be_is_refused(asked, device):
    with pytest.raises(BadOption):
        scheme_for(asked, device)


def test_nothing_is_asked_of_mps():
    assert scheme_for("none", "mps") is None


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        (INT8, 4096 * 4096 + 4096 * 2),
        (INT4, 4096 * 4096 // 2 + 4096 * (4096 // 32) * 4),
        (BNB_8BIT, 4096 * 4096 + 4096 * 4),
        (BNB_NF4, 4096 * 4096 // 2 + 4096 * 64 + 4 * 1024),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_bytes(scheme, expected):
    assert scheme.nbytes(4096, 4096, 2) == expected


@pytest.mark.parametrize(("out", "inputs"), [(17, 128), (64, 100)])
def test_what_no_kernel_takes_stays_in_the_networks_format(out, inputs):
    assert not INT4.takes(out, inputs)
    assert INT4.nbytes(out, inputs, 2) == out * inputs * 2
    assert INT8.takes(17, 128)
    assert not INT8.takes(64, 100)
    assert BNB_NF4.takes(out, inputs)


def test_groups():
    assert [group_size(inputs) for inputs in (4096, 11008, 172, 48)] == [32, 32, None, None]


def test_the_decoders_layers_are_quantized_and_nothing_else():
    assert quantizes("decoder.blocks.3.attention.qkv.weight")
    assert quantizes("decoder.blocks.0.mlp.down.weight")
    for kept in ("decoder.embedding.weight", "decoder.head.weight", "vision.blocks.0.up.weight", "connector.up.weight"):
        assert not quantizes(kept)
