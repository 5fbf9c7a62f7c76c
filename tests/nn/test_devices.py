"""A decoder over several devices: all that an operation takes lies on one of them, whichever way it goes."""

import pytest
import torch

from llavacli_core.nn.cache import KVCache
from llavacli_core.nn.trace import Trace
from tests.nn.apart import Apart, place, put
from tests.nn.test_decoder import CONFIGS, cache_of, decoder_of

ZERO, ONE, TWO = (torch.device("cuda", index) for index in range(3))
SPREADS = {  # where the embedding is, each of three layers, norm and head
    "two": (ZERO, (ZERO, ONE, ONE), ONE),
    "embedding alone": (ZERO, (ONE, ONE, ONE), ONE),
    "head alone": (ZERO, (ZERO, ZERO, ONE), TWO),
    "three": (ZERO, (ZERO, ONE, TWO), TWO),
}


def spread(decoder, first, devices, last):
    """The decoder with its parts where they are told to be; a tied head stays with the embedding. Where the head is."""
    last = first if decoder.head is None else last
    parts = [(decoder.embedding, first), *zip(decoder.blocks, devices, strict=True), (decoder.norm, last)]
    for part, device in parts if decoder.head is None else [*parts, (decoder.head, last)]:
        for parameter in part.parameters():
            put(parameter, device)
    decoder.devices = devices
    return last


def answer(decoder, cache, ids):
    """Scores by every way: a prompt, a step, then rows of two lengths, which grow, change places and leave."""
    scores = [decoder.logits(decoder(decoder.embed(ids), cache, trace=Trace(attentions=None)))[0]]
    scores.append(decoder.step(ids[:, :1], cache))
    rows, other = cache.rows(), KVCache(cache.config, device=cache.device, dtype=cache.dtype, devices=cache.devices)
    decoder(decoder.embed(ids[:, :9]), other)
    rows.join(other.rows())
    rows.reorder([1, 0], 9)
    tokens = torch.zeros(2, 1, dtype=torch.long, device=rows.device)
    for _ in range(3):
        scores.append(decoder.step_rows(tokens, rows)[:, -1])
    rows._resize(rows.slots + 1, rows.capacity + 1)
    assert rows.drop([0]) == [1]
    scores.append(decoder.step_rows(tokens[:1], rows)[:, -1])
    return scores, rows


@pytest.mark.parametrize("places", SPREADS.values(), ids=SPREADS)
@pytest.mark.parametrize("config", ["plain", "grouped heads", "windows", "tied"])
@torch.inference_mode()
def test_every_way_through(config, places):
    config, (first, devices, _) = CONFIGS[config], places
    ids = torch.randint(0, config.vocab_size, (1, 30))
    alone = decoder_of(config)
    alone.devices = (torch.device("cpu"),) * 3  # its steps go the same way
    expected, _ = answer(alone, cache_of(alone, room=4), ids)
    with torch.inference_mode(mode=False):
        decoder = decoder_of(config)
    last = spread(decoder, *places)
    with Apart():
        cache = KVCache(config, device=first, dtype=torch.float32, devices=devices, room=4)
        scores, rows = answer(decoder, cache, put(ids.clone(), first))
    assert {place(score) for score in scores} == {last}
    assert [place(keys) for keys, _ in rows.layers] == list(devices)
    torch.testing.assert_close(scores, expected)


def test_what_lies_apart_does_not_come_together():
    """So the test above tests what it says."""
    decoder = decoder_of(CONFIGS["plain"])
    spread(decoder, *SPREADS["two"])
    decoder.devices = None
    with Apart(), torch.inference_mode(), pytest.raises(AssertionError, match="cuda"):
        decoder(decoder.embed(put(torch.zeros(1, 3, dtype=torch.long), ZERO)))
