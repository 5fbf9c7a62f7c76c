"""Products are what they are whether or not the processor computes in 16 bits, and in whatever order weights lie."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from llavacli_core.checkpoint.stored import open_weights
from llavacli_core.nn import attention, product, settling
from llavacli_core.nn.attention import attend
from llavacli_core.nn.linear import Apart, Linear, each
from llavacli_core.nn.settling import settle


@pytest.fixture(params=[True, False], ids=["widened", "as they are"])
def widened(monkeypatch, request):
    for module in (product, attention):
        monkeypatch.setattr(module, "widens", lambda x, rows: request.param and x.dtype != torch.float32)


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))).bfloat16()


def close(ours: torch.Tensor, exact: torch.Tensor) -> None:
    assert ours.dtype == torch.bfloat16
    torch.testing.assert_close(ours.float(), exact, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("bias", [True, False])
def test_product(widened, bias):
    x, weight, added = drawn(2, 20, 24), drawn(10, 24) / 5, drawn(10) if bias else None
    exact = torch.nn.functional.linear(x.float(), weight.float(), None if added is None else added.float())
    close(product.product(x, weight, added), exact)


def test_convolution(widened):
    x, weight, bias = drawn(2, 3, 32, 32), drawn(6, 3, 4, 4) / 7, drawn(6)
    exact = torch.nn.functional.conv2d(x.float(), weight.float(), bias.float(), stride=(4, 4))
    close(product.convolution(x, weight, bias, (4, 4)), exact)


@pytest.mark.parametrize("mask", ["none", "true where one may look", "added"])
def test_attention(widened, mask):
    query, key, value = drawn(1, 4, 20, 8), drawn(1, 2, 20, 8), drawn(1, 2, 20, 8)
    lower = torch.ones(20, 20, dtype=torch.bool).tril()
    masks = {"none": None, "true where one may look": lower, "added": torch.zeros(20, 20).masked_fill(~lower, -1e4)}
    given = masks[mask] if mask != "added" else masks[mask].bfloat16()
    if given is not None:
        given = given[None, None]
    exact = torch.nn.functional.scaled_dot_product_attention(
        query.float(), key.float(), value.float(), is_causal=True, enable_gqa=True
    )
    close(attend(query, key, value, given, causal=True, kernel="sdpa"), exact)


def test_gradients_pass(widened):
    x, weight = drawn(20, 24).requires_grad_(), drawn(10, 24).requires_grad_()
    product.product(x, weight).float().sum().backward()
    assert weight.grad is not None
    assert x.grad is not None


def test_only_many_rows_in_16_bits_on_a_cpu_are_widened():
    assert not product.widens(torch.zeros(1, 4, dtype=torch.bfloat16), 1)
    assert not product.widens(torch.zeros(64, 4), 64)
    assert not product.widens(torch.zeros(64, 4, dtype=torch.bfloat16, device="meta"), 64)


FORMATS = [format for format in (torch.float32, torch.bfloat16) if product.prefers_onednn(format)]
by_onednn = pytest.mark.skipif(not FORMATS, reason="oneDNN does not compute on this processor, or not faster")


@pytest.fixture(params=FORMATS, ids=str)
def format(request, monkeypatch):
    """A format in which small matrices, too, go by oneDNN, and into its order."""
    monkeypatch.setattr(settling, "LARGE", 0)
    monkeypatch.setattr(product, "LARGE", 0)
    monkeypatch.setattr(settling, "reorders", product.prefers_onednn)
    return request.param


def filled(inputs: int, *parts: int, bias: bool, format: torch.dtype) -> Linear:
    layer = Linear(inputs, *parts, bias=bias)
    for name, parameter in list(layer.named_parameters()):
        setattr(layer, name, nn.Parameter(drawn(*parameter.shape).to(format), requires_grad=False))
    return layer


def same(ours: torch.Tensor, plain: torch.Tensor) -> None:
    near = 1e-4 if plain.dtype == torch.float32 else 5e-2
    assert ours.dtype == plain.dtype
    scale = float(plain.abs().max()) if plain.numel() else 0.0
    torch.testing.assert_close(ours, plain, rtol=near, atol=near * scale)


@by_onednn
@settings(max_examples=60, deadline=None)
@given(
    inputs=st.integers(1, 200),
    outputs=st.integers(1, 200),
    rows=st.sampled_from([(), (1,), (3,), (2, 5), (0,), (40,), (2, 90)]),
    bias=st.booleans(),
    format=st.sampled_from(FORMATS or [None]),
    in_order=st.booleans(),
)
def test_onednn_makes_the_same_products(inputs, outputs, rows, bias, format, in_order):
    layer = filled(inputs, outputs, bias=bias, format=format)
    x, strided = drawn(*rows, inputs).to(format), drawn(inputs, 7).to(format).T
    expected = [nn.functional.linear(one, layer.weight, layer.bias) for one in (x, x.new_ones(inputs), strided)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(product, "LARGE", 0)
        patch.setattr(product, "long", int)
        if in_order:
            layer.weight = nn.Parameter(product.reordered(layer.weight), requires_grad=False)
        with torch.no_grad():
            ours = layer(x), layer.row(x.new_ones(inputs)), layer(strided)
        for one, plain in zip(ours, expected, strict=True):
            same(one, plain)


@pytest.mark.skipif(torch.float32 not in FORMATS, reason="oneDNN does not compute on this processor, or not faster")
@pytest.mark.parametrize(("speed", "gains"), [(2.2, True), (1.08, False)])
def test_where_onednn_is_much_faster_shorter_products_go_by_it(speed, gains, monkeypatch):
    monkeypatch.setattr(product.torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(product, "_timed", lambda way, x, weight: speed if way is nn.functional.linear else 1.0)
    product.long.cache_clear()
    x, weight = torch.ones(64, 128), torch.ones(384, 128)
    with torch.no_grad():
        assert product.gains(x, weight, rows=64) is gains
        assert product.gains(x, weight, rows=4096)
        assert not product.gains(x, weight, rows=4)
    assert not product.gains(x, weight, rows=4096)  # whose gradients may be wanted
    product.long.cache_clear()


@by_onednn
@pytest.mark.parametrize("bias", [True, False])
def test_matrices_that_lie_apart_in_a_file_become_one(format, bias, tmp_path):
    whole = filled(96, 64, 32, 32, bias=bias, format=format)
    behind = drawn(512, 96).to(format)  # so many rows that whole pages of the file are not to be let go of
    parts = dict(zip("qkv", (part.clone() for part in whole.weight.split([64, 32, 32])), strict=True))
    save_file({**parts, "behind": behind}, tmp_path / "model.safetensors")
    views = open_weights(tmp_path / "model.safetensors")
    network = nn.ModuleDict({"qkv": Apart(whole, [views.tensor(name) for name in "qkv"])})
    x = drawn(5, 96).to(format)
    expected = network["qkv"](x)
    same(network["qkv"].row(x[0]), expected[0])
    for _ in range(2):  # again changes nothing
        settle(network["qkv"])
        assert [weight.is_mkldnn for weight in network["qkv"].weights] == [True]
        same(network["qkv"](x), expected)
        same(network["qkv"].row(x[0]), expected[0])
    assert torch.equal(views.tensor("behind"), behind)


@by_onednn
def test_what_learns_or_is_small_stays_as_it_is(format, monkeypatch):
    learning = Linear(64, 64, bias=True).to(format)
    settle(learning)
    assert not learning.weight.is_mkldnn
    x = drawn(3, 64).to(format).requires_grad_()
    for ours in (learning(x), learning.row(x[0])):
        ours.float().sum().backward()
    assert learning.weight.grad is not None
    assert x.grad is not None
    monkeypatch.setattr(settling, "LARGE", 64 * 64 * 4 + 1)
    small = filled(64, 64, bias=False, format=format)
    settle(small)
    assert not small.weight.is_mkldnn


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("apart", [True, False])
def test_each_matrix_of_a_stack_makes_its_part(apart, bias):
    whole = filled(96, 64, 32, 32, bias=bias, format=torch.float32)
    layer = Apart(whole, list(whole.weight.split([64, 32, 32]))) if apart else whole
    x = drawn(2, 5, 96).float()
    for part, expected in zip(each(layer, x), whole(x).split([64, 32, 32], dim=-1), strict=True):
        same(part, expected)


@pytest.mark.skipif(not product.has_amx(torch.bfloat16), reason="no tiles on this processor")
@pytest.mark.parametrize("rows", [0, 1, 3, 700])
def test_a_bias_is_added_where_products_are_of_tiles(rows):
    layer = filled(96, 64, bias=True, format=torch.bfloat16)
    x = drawn(rows, 96).to(torch.bfloat16)
    same(layer(x), nn.functional.linear(x, layer.weight, layer.bias))
    learning = Linear(96, 64, bias=True).to(torch.bfloat16)
    learning(x).float().sum().backward()
    assert learning.weight.grad is not None


@pytest.mark.parametrize("format", [torch.float32, torch.bfloat16], ids=str)
def test_a_bias_learns_beside_a_matrix_that_does_not(format, monkeypatch):
    monkeypatch.setattr(product, "LARGE", 0)
    layer = Linear(64, 64, bias=True).to(format)
    layer.weight.requires_grad_(requires_grad=False)
    x = drawn(3, 64).to(format)
    (layer(x).float().sum() + layer.row(x[0]).float().sum()).backward()
    assert layer.bias.grad.tolist() == [4.0] * 64


@pytest.mark.parametrize("format", [torch.float32, torch.bfloat16], ids=str)
@torch.no_grad()
def test_a_bias_may_lie_in_any_way(format, monkeypatch):
    monkeypatch.setattr(product, "LARGE", 0)
    x, weight = drawn(3, 64).to(format), drawn(64, 64).to(format)
    for bias in (drawn(128).to(format)[::2], drawn(1).to(format).expand(64)):
        same(product.product(x, weight, bias), nn.functional.linear(x, weight, bias))


@pytest.mark.parametrize("format", [torch.float32, torch.bfloat16], ids=str)
def test_forward_derivatives(format, monkeypatch):
    monkeypatch.setattr(product, "LARGE", 0)
    x, direction, weight, bias = (drawn(*shape).to(format) for shape in ((3, 64), (3, 64), (64, 64), (64,)))
    for one in (lambda x: product.product(x, weight, bias), lambda x: nn.functional.linear(x, weight, bias)):
        _, tangent = torch.func.jvp(one, (x,), (direction,))
        same(tangent, direction @ weight.T)
