"""The decoder's ways through it agree: whole, in pieces over a cache, and step by step."""

import dataclasses
import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llavacli_core.config import DecoderConfig, Rope
from llavacli_core.nn.cache import KVCache
from llavacli_core.nn.decoder import Decoder, causal_loss
from llavacli_core.nn.linear import Apart, Linear
from llavacli_core.portions import CACHE_BLOCK

PLAIN = DecoderConfig(
    vocab_size=97,
    hidden_size=24,
    intermediate_size=40,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=4,
    head_dim=6,
    hidden_act="silu",
    rms_norm_eps=1e-5,
    max_position_embeddings=4096,
    rope=Rope(theta=10000.0),
    sliding_windows=(None, None, None),
    qkv_bias=False,
    output_bias=False,
    mlp_bias=False,
    tie_word_embeddings=False,
)
CONFIGS = {
    "plain": PLAIN,
    "grouped heads": dataclasses.replace(PLAIN, num_key_value_heads=2),
    "one key-value head, wide heads": dataclasses.replace(PLAIN, num_key_value_heads=1, head_dim=10),
    "biases": dataclasses.replace(PLAIN, qkv_bias=True, output_bias=True, mlp_bias=True),
    "tied": dataclasses.replace(PLAIN, tie_word_embeddings=True),
    "scaled positions": dataclasses.replace(PLAIN, rope=Rope(theta=10000.0, kind="linear", factor=2.5)),
    "scaled as Llama 3.1": dataclasses.replace(
        PLAIN, rope=Rope(theta=10000.0, kind="llama3", factor=8.0, trained=64, slow=1.0, fast=4.0)
    ),
    "yarn": dataclasses.replace(
        PLAIN, rope=Rope(theta=10000.0, kind="yarn", factor=4.0, trained=64, slow=1.0, fast=32.0, strength=1.14)
    ),
    "windows": dataclasses.replace(PLAIN, num_key_value_heads=2, sliding_windows=(5, None, 9)),
    "gelu, large eps": dataclasses.replace(PLAIN, hidden_act="gelu", rms_norm_eps=0.3),
}


def decoder_of(config: DecoderConfig, kernel: str = "sdpa") -> Decoder:
    torch.manual_seed(0)
    decoder = Decoder(config, kernel=kernel)
    for parameter in decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return decoder


def cache_of(decoder: Decoder, room: int = CACHE_BLOCK) -> KVCache:
    return KVCache(decoder.config, device=torch.device("cpu"), dtype=torch.float32, room=room)


def whole(decoder: Decoder, ids: torch.Tensor) -> torch.Tensor:
    """Scores of every position, [T, V], in one pass without a cache."""
    return decoder.logits(decoder(decoder.embed(ids)))[0]


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@torch.inference_mode()
def test_steps_equal_the_whole(config):
    decoder = decoder_of(config)
    ids = torch.randint(0, config.vocab_size, (1, 40))
    cache = cache_of(decoder)
    decoder(decoder.embed(ids[:, :7]), cache)
    stepped = torch.cat([decoder.step(ids[:, place : place + 1], cache) for place in range(7, 40)])
    torch.testing.assert_close(stepped, whole(decoder, ids)[7:], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@torch.inference_mode()
def test_steps_in_bfloat16_are_near_the_whole(config):
    decoder = decoder_of(config).bfloat16()
    ids = torch.randint(0, config.vocab_size, (1, 20))
    cache = KVCache(config, device=torch.device("cpu"), dtype=torch.bfloat16)
    decoder(decoder.embed(ids[:, :7]), cache)
    stepped = torch.cat([decoder.step(ids[:, place : place + 1], cache) for place in range(7, 20)])
    expected = whole(decoder, ids)[7:]
    assert float((stepped - expected).abs().mean()) < 0.05 * float(expected.abs().mean())


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@torch.inference_mode()
def test_kernels_agree(config):
    ids = torch.randint(0, config.vocab_size, (1, 30))
    torch.testing.assert_close(
        whole(decoder_of(config, "eager"), ids), whole(decoder_of(config), ids), rtol=1e-4, atol=1e-4
    )


@given(cuts=st.lists(st.integers(1, 29), max_size=5), name=st.sampled_from(sorted(CONFIGS)))
@settings(max_examples=40, deadline=None)
def test_a_prompt_in_pieces_equals_the_whole(cuts, name):
    with torch.inference_mode():
        decoder = decoder_of(CONFIGS[name])
        ids = torch.randint(0, PLAIN.vocab_size, (1, 30), generator=torch.Generator().manual_seed(1))
        cache = cache_of(decoder)
        edges = [0, *sorted(set(cuts)), 30]
        pieces = [
            decoder.logits(decoder(decoder.embed(ids[:, start:end]), cache))[0]
            for start, end in itertools.pairwise(edges)
        ]
        torch.testing.assert_close(torch.cat(pieces), whole(decoder, ids), rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_a_cache_cut_back_forgets():
    decoder = decoder_of(PLAIN)
    first, second = torch.randint(0, 97, (1, 20)), torch.randint(0, 97, (1, 8))
    cache = cache_of(decoder)
    decoder(decoder.embed(first), cache)
    cache.truncate(12)
    continued = decoder.logits(decoder(decoder.embed(second), cache))[0]
    expected = whole(decoder, torch.cat((first[:, :12], second), dim=1))[12:]
    torch.testing.assert_close(continued, expected, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_a_cache_grows_and_keeps_what_it_holds():
    decoder = decoder_of(PLAIN)
    ids = torch.randint(0, 97, (1, CACHE_BLOCK + 50))
    cache = cache_of(decoder, room=1)
    decoder(decoder.embed(ids[:, : CACHE_BLOCK - 1]), cache)
    before = cache.capacity
    last = decoder(decoder.embed(ids[:, CACHE_BLOCK - 1 :]), cache)
    assert before == CACHE_BLOCK < cache.capacity
    torch.testing.assert_close(decoder.logits(last)[0], whole(decoder, ids)[CACHE_BLOCK - 1 :], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("bias", [True, False])
def test_matrices_apart_equal_the_stacked(bias):
    stacked = Linear(7, 4, 2, 5, bias=bias)
    for parameter in stacked.parameters():
        torch.nn.init.normal_(parameter)
    apart = Apart(stacked, stacked.weight.detach().split(stacked.parts))
    x = torch.randn(3, 7)
    with torch.inference_mode():
        torch.testing.assert_close(apart(x), stacked(x))
        torch.testing.assert_close(apart.row(x[0]), stacked(x)[0])
        torch.testing.assert_close(stacked.row(x[0]), stacked(x)[0])


def test_loss_is_differentiable_and_skips_what_has_no_label():
    decoder = decoder_of(PLAIN)
    ids = torch.randint(0, 97, (2, 12))
    labels = ids.clone()
    labels[:, :9] = -100
    loss = causal_loss(decoder.logits(decoder(decoder.embed(ids))), labels)
    loss.backward()
    assert loss.item() > 0
    assert all(parameter.grad is not None for parameter in decoder.parameters())
    ids[:, -1] = 0  # the last token is a label only; as an input it predicts nothing that counts
    torch.testing.assert_close(causal_loss(decoder.logits(decoder(decoder.embed(ids))), labels), loss)
