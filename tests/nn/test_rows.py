"""Rows of different lengths step together as each does alone."""

import pytest
import torch

from llavacli_core.config import DecoderConfig, Rope
from llavacli_core.nn.cache import KVCache
from llavacli_core.nn.decoder import Decoder
from llavacli_core.nn.rows import Rows
from llavacli_core.portions import CACHE_BLOCK


def config(**values):
    return DecoderConfig(
        **{
            "vocab_size": 50,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 8,
            "hidden_act": "silu",
            "rms_norm_eps": 1e-6,
            "max_position_embeddings": 2048,
            "rope": Rope(theta=10000.0),
            "sliding_windows": (None, None),
            "qkv_bias": True,
            "output_bias": False,
            "mlp_bias": False,
            "tie_word_embeddings": False,
            **values,
        }
    )


@pytest.fixture(params=[(None, None), (5, None)], ids=["full", "window"])
def decoder(request):
    torch.manual_seed(0)
    made = Decoder(config(sliding_windows=request.param)).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return made


def prefilled(decoder, ids):
    cache = KVCache(decoder.config, device=torch.device("cpu"), dtype=torch.float32)
    decoder(decoder.embed(torch.tensor([ids])), cache)
    return cache


def prompts(*lengths):
    generator = torch.Generator().manual_seed(3)
    return [torch.randint(50, (length,), generator=generator).tolist() for length in lengths]


@torch.inference_mode()
def alone(decoder, ids, said):
    """The scores of each step of `said` after the prompt `ids`, by the whole forward pass."""
    hidden = decoder(decoder.embed(torch.tensor([ids + said])))
    return decoder.logits(hidden)[0, len(ids) :]


@torch.inference_mode()
def test_rows_of_different_lengths_step_as_each_alone(decoder):
    texts = prompts(3, 11, 254)  # the last grows past its block
    rows = prefilled(decoder, texts[0]).rows()
    for text in texts[1:]:
        rows.join(prefilled(decoder, text).rows())
    said = prompts(6, 6, 6)
    for step in range(6):
        scores = decoder.step_rows(torch.tensor([[line[step]] for line in said]), rows)[:, -1]
        for row, (text, line) in enumerate(zip(texts, said, strict=True)):
            torch.testing.assert_close(scores[row], alone(decoder, text, line)[step], rtol=1e-4, atol=1e-4)
    assert rows.lengths == [len(text) + 6 for text in texts]


@torch.inference_mode()
def test_several_tokens_at_once_are_those_one_by_one(decoder):
    """Some of which are taken back, and others put in their places."""
    texts, said = prompts(3, 11, 254), prompts(9, 9, 9)
    rows = prefilled(decoder, texts[0]).rows()
    for text in texts[1:]:
        rows.join(prefilled(decoder, text).rows())
    at = [0, 0, 0]
    for width, kept in ((4, [4, 1, 2]), (1, [1, 1, 1]), (3, [3, 1, 3])):
        tokens = [
            line[place : place + keep] + [0] * (width - keep) for line, place, keep in zip(said, at, kept, strict=True)
        ]
        scores = decoder.step_rows(torch.tensor(tokens), rows)
        rows.take_back([width - keep for keep in kept])
        for row, keep in enumerate(kept):
            expected = alone(decoder, texts[row], said[row])[at[row] : at[row] + keep]
            torch.testing.assert_close(scores[row, :keep], expected, rtol=1e-4, atol=1e-4)
            at[row] += keep
    assert rows.lengths == [len(text) + place for text, place in zip(texts, at, strict=True)]


@torch.inference_mode()
def test_more_tokens_at_once_than_a_block_holds(decoder):
    (text,), (said,) = prompts(3), prompts(2 * CACHE_BLOCK + 40)
    rows = prefilled(decoder, text).rows()
    scores = decoder.step_rows(torch.tensor([said]), rows)
    torch.testing.assert_close(scores[0], alone(decoder, text, said), rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_rows_leave_and_come_between_steps(decoder):
    texts, said = prompts(4, 9, 2), prompts(5, 5, 5)
    rows = prefilled(decoder, texts[0]).rows()
    rows.join(prefilled(decoder, texts[1]).rows())
    decoder.step_rows(torch.tensor([said[0][:1], said[1][:1]]), rows)
    assert rows.drop({0}) == [1]
    rows.join(prefilled(decoder, texts[2]).rows())
    scores = decoder.step_rows(torch.tensor([said[1][1:2], said[2][:1]]), rows)[:, -1]
    torch.testing.assert_close(scores[0], alone(decoder, texts[1], said[1])[1], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(scores[1], alone(decoder, texts[2], said[2])[0], rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_reordering_moves_only_what_differs(decoder):
    (text,), lines = prompts(7), prompts(3, 3, 3)
    rows = prefilled(decoder, text).rows()
    rows.select([0, 0, 0])
    for step in range(2):
        decoder.step_rows(torch.tensor([[line[step]] for line in lines]), rows)
    order = [2, 0, 2]
    rows.reorder(order, since=len(text))
    scores = decoder.step_rows(torch.tensor([[lines[row][2]] for row in order]), rows)[:, -1]
    for place, row in enumerate(order):
        torch.testing.assert_close(scores[place], alone(decoder, text, lines[row])[2], rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_wanted_positions_are_what_they_are_among_all(decoder):
    """Also where what follows them is padding, and behind what a cache holds."""
    x = torch.randn(3, 9, 32, generator=torch.Generator().manual_seed(1))
    for wanted in ([8, 3, 6], [8, 8, 8]):
        caches = [KVCache(decoder.config, device=x.device, dtype=x.dtype, batch=3) for _ in range(2)]
        for start, end in ((0, 2), (2, 9)):
            places = [min(place, end - 1) - start for place in wanted]
            everything = decoder(x[:, start:end], caches[0])
            alone = decoder(x[:, start:end], caches[1], wanted=places)
            torch.testing.assert_close(alone[:, 0], everything[range(3), places], rtol=1e-4, atol=1e-4)
        for ours, theirs in zip(caches[0].layers, caches[1].layers, strict=True):
            torch.testing.assert_close(ours.keys[:, :, :9], theirs.keys[:, :, :9])


def test_a_row_that_went_wrong_leaves_nothing_in_its_slot():
    """What is masked counts nothing, but nothing times NaN is NaN: such values must not outlive their row."""

    def some(lengths, value):
        shape = (len(lengths), 1, CACHE_BLOCK, 2)
        pair = torch.zeros(shape), torch.zeros(shape)
        for held in pair:
            for row, length in enumerate(lengths):
                held[row, :, :length] = value
        return Rows([pair], lengths)

    rows = some([9], float("nan"))
    rows.join(some([4, 5], 1.0), most=4)
    rows.drop({0})  # the last row moves into its slot
    rows.join(some([3], 1.0), most=4)
    rows.drop({1})
    rows.join(some([2], float("inf")), most=4)
    rows.drop({2})
    rows.join(some([1], 1.0), most=4)
    for keys, values in rows.layers:
        assert keys[: len(rows)].isfinite().all()
        assert values[: len(rows)].isfinite().all()
