"""The step in fixed shapes is the step; what is recorded follows its cache wherever that goes."""

import pytest
import torch

from llavacli_core.nn.cache import KVCache
from llavacli_core.nn.graph import StepGraph
from llavacli_core.nn.static_step import attend_over_room
from llavacli_core.portions import CACHE_BLOCK
from tests.graphless import run_again
from tests.nn.test_decoder import CONFIGS, PLAIN, cache_of, decoder_of, whole


class Counted:
    """Records by running again, and counts how often it had to."""

    def __init__(self):
        self.records = 0

    def __call__(self, run, device):
        self.records += 1
        run()  # as a graph's recording does
        return run_again(run, device)


def step_on(graph: StepGraph, ids: torch.Tensor) -> torch.Tensor:
    """Scores behind each of `ids` [1, T], [T, V]: all of them are kept."""
    scores = []
    for place in range(ids.shape[1]):
        scores.append(graph(ids[:, place : place + 1]).clone())
        graph.cache.length += 1
    return torch.cat(scores)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@torch.inference_mode()
def test_static_steps_equal_the_whole(config):
    decoder = decoder_of(config)
    ids = torch.randint(0, config.vocab_size, (1, 40))
    cache = cache_of(decoder)
    for layer in cache.layers:
        layer.keys.fill_(float("nan"))  # what fresh memory may hold
        layer.values.fill_(float("nan"))
    decoder(decoder.embed(ids[:, :7]), cache)
    stepped = step_on(StepGraph(decoder, cache, run_again), ids[:, 7:])
    torch.testing.assert_close(stepped, whole(decoder, ids)[7:], rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_a_graph_is_recorded_again_only_when_the_cache_moves():
    decoder, record = decoder_of(PLAIN), Counted()
    ids = torch.randint(0, 97, (1, CACHE_BLOCK + 30))
    cache = cache_of(decoder, room=1)
    decoder(decoder.embed(ids[:, : CACHE_BLOCK - 4]), cache)
    graph = StepGraph(decoder, cache, record)
    first = step_on(graph, ids[:, CACHE_BLOCK - 4 : CACHE_BLOCK])
    assert record.records == 1
    second = step_on(graph, ids[:, CACHE_BLOCK:])
    assert record.records == 2
    torch.testing.assert_close(torch.cat((first, second)), whole(decoder, ids)[CACHE_BLOCK - 4 :], rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_a_graph_goes_on_after_the_cache_was_cut_back_and_prefilled_again():
    decoder, record = decoder_of(PLAIN), Counted()
    first, second = torch.randint(0, 97, (1, 20)), torch.randint(0, 97, (1, 12))
    cache = cache_of(decoder)
    decoder(decoder.embed(first[:, :10]), cache)
    graph = StepGraph(decoder, cache, record)
    step_on(graph, first[:, 10:])
    cache.truncate(5)
    decoder(decoder.embed(second[:, :3]), cache)
    stepped = step_on(graph, second[:, 3:])
    expected = whole(decoder, torch.cat((first[:, :5], second), dim=1))[8:]
    torch.testing.assert_close(stepped, expected, rtol=1e-4, atol=1e-4)
    assert record.records == 1


@torch.inference_mode()
def test_a_token_that_is_not_kept_leaves_no_trace():
    decoder = decoder_of(PLAIN)
    ids = torch.randint(0, 97, (1, 12))
    cache = cache_of(decoder)
    decoder(decoder.embed(ids[:, :6]), cache)
    graph = StepGraph(decoder, cache, run_again)
    graph(torch.tensor([[13]]))
    torch.testing.assert_close(step_on(graph, ids[:, 6:]), whole(decoder, ids)[6:], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.inference_mode()
def test_attention_over_the_room_equals_attention_over_what_is_seen(dtype):
    generator = torch.Generator().manual_seed(0)
    query, keys, values = (
        torch.randn(2, rows, 16, generator=generator).to(dtype) for rows in (3, 2 * CACHE_BLOCK, 2 * CACHE_BLOCK)
    )
    seen = torch.arange(2 * CACHE_BLOCK) < CACHE_BLOCK + 70
    mask = torch.zeros(2 * CACHE_BLOCK, dtype=dtype).masked_fill(~seen, float("-inf"))
    ours = attend_over_room(query, keys, values, mask)
    expected = torch.nn.functional.scaled_dot_product_attention(query, keys[:, seen], values[:, seen])
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(ours, expected, rtol=tolerance, atol=tolerance)


@torch.inference_mode()
def test_steps_in_bfloat16_are_near_the_plain_ones():
    config = CONFIGS["grouped heads"]
    decoder = decoder_of(config).bfloat16()
    ids = torch.randint(0, config.vocab_size, (1, 20))
    caches = [KVCache(config, device=torch.device("cpu"), dtype=torch.bfloat16) for _ in range(2)]
    for cache in caches:
        decoder(decoder.embed(ids[:, :7]), cache)
    plain = torch.cat([decoder.step(ids[:, place : place + 1], caches[0]) for place in range(7, 20)])
    static = step_on(StepGraph(decoder, caches[1], run_again), ids[:, 7:])
    assert float((static - plain).abs().mean()) < 0.05 * float(plain.abs().mean())
