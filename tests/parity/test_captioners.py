"""Every encoder and decoder that the documents pair gives the reference's numbers, at once and step by step."""

import json

import pytest
import torch
from torch.testing import assert_close

from llavacli_core.checkpoint.load import load_weights
from llavacli_core.families.registry import family_of
from llavacli_core.nn.linear import Apart
from llavacli_core.nn.trace import Trace
from llavacli_core.options import Placement
from tests.reference import captioners
from tests.reference.captioners import PADDING, PAIRS, SIDE, START, VOCABULARY

pytestmark = pytest.mark.parity
CPU = Placement(device="cpu", dtype="float32")
CLOSE = {"rtol": 1e-3, "atol": 1e-3}  # BEiT without its pooler gives out large states, which the decoder compares


def load(folder, placement=CPU):
    config = json.loads((folder / "config.json").read_text())
    family = family_of(config)
    return load_weights(folder, family.read(config), family.names(config), placement)


@pytest.fixture(scope="module", params=PAIRS, ids=lambda pair: pair.name)
def pair(request, tmp_path_factory):
    """(the reference's network, ours, pictures, ids)."""
    folder = tmp_path_factory.mktemp("captioner")
    reference = captioners.write(request.param, folder)
    random = torch.Generator().manual_seed(5)
    pixels = torch.randn(2, 3, SIDE, SIDE, generator=random)
    ids = torch.randint(4, VOCABULARY, (2, 9), generator=random)
    ids[:, 0] = START
    return reference, load(folder), pixels, ids


@torch.no_grad()
def test_logits_hidden_states_and_attentions(pair):
    reference, network, pixels, ids = pair
    expected = reference(pixels, ids, output_hidden_states=True, output_attentions=True)
    trace = Trace()
    states = network.encode(pixels)
    hidden = network.decoder(ids, states, trace=trace)
    assert_close(network.decoder.logits(hidden), expected.logits, **CLOSE)
    assert_close(trace.hidden_states, list(expected.decoder_hidden_states), **CLOSE)
    assert_close(trace.attentions, list(expected.decoder_attentions), **CLOSE)
    assert_close(trace.cross_attentions, list(expected.cross_attentions), **CLOSE)
    assert_close(network(pixels, ids)[0], expected.logits, **CLOSE)


def test_labels_give_the_loss_and_its_gradients(pair):
    reference, network, pixels, ids = pair
    labels = ids.clone()
    labels[0, 5:] = -100
    expected = reference(pixels, labels=labels)
    network.requires_grad_()
    logits, loss = network(pixels, labels=labels)
    assert_close(loss, expected.loss, **CLOSE)
    assert_close(logits, expected.logits, **CLOSE)
    loss.backward()
    expected.loss.backward()
    words = reference.decoder.get_input_embeddings().weight
    assert_close(network.decoder.embedding.weight.grad, words.grad, **CLOSE)


@torch.no_grad()
def test_padding_on_the_left_changes_nothing_on_the_right(pair):
    reference, network, pixels, ids = pair
    ids, mask = ids.clone(), torch.ones_like(ids)
    ids[1, :3], mask[1, :3] = PADDING, 0
    expected = reference(pixels, ids, decoder_attention_mask=mask).logits
    actual, _ = network(pixels, ids, mask=mask)
    assert_close(actual[0], expected[0], **CLOSE)
    assert_close(actual[1, 3:], expected[1, 3:], **CLOSE)


@pytest.mark.parametrize("name", ["vit+gpt2", "swin+bert", "beit+roberta"])
@torch.no_grad()
def test_positions_of_their_own(tmp_path, name):
    reference = captioners.write(captioners.BY_NAME[name], tmp_path).double()  # three in a hundred pictures differ by
    network = load(tmp_path).double()  # more than CLOSE in float32, whose rounding BEiT's large states multiply
    pixels, ids = torch.randn(1, 3, SIDE, SIDE).double(), torch.tensor([[START, 7, 30, 4]])
    positions = torch.tensor([[3, 9, 2, 20]])
    expected = reference(pixels, ids, decoder_position_ids=positions).logits
    hidden = network.decoder(ids, network.encode(pixels), positions=positions)
    assert_close(network.decoder.logits(hidden), expected, **CLOSE)


@torch.no_grad()
def test_embeddings_in_place_of_ids(pair):
    reference, network, pixels, ids = pair
    if network.config.decoder.sinusoidal:
        pytest.skip("the reference counts positions by ids alone there")
    words = network.decoder.words(ids)
    expected = reference(pixels, decoder_inputs_embeds=words).logits
    hidden = network.decoder(None, network.encode(pixels), words=words)
    assert_close(network.decoder.logits(hidden), expected, **CLOSE)


@torch.no_grad()
def test_steps_equal_the_whole(pair):
    reference, network, pixels, ids = pair
    rows = network.start(network.encode(pixels))
    steps = [network.step(part, rows) for part in ids.split([1, 1, ids.shape[1] - 2], 1)]  # one by one, and together
    assert_close(torch.cat(steps, 1), reference(pixels, ids).logits, **CLOSE)


@torch.no_grad()
def test_rows_of_different_lengths_equal_single_rows(pair):
    _, network, pixels, ids = pair
    alone = []
    for row, length in ((0, 6), (1, 3), (0, 2)):
        rows = network.start(network.encode(pixels[row : row + 1]))
        scores = [network.step(ids[row : row + 1, place : place + 1], rows) for place in range(length + 2)]
        alone.append(torch.cat(scores[length:], 1))
    together = network.start(network.encode(pixels[:1]))
    for place in range(4):
        network.step(ids[:1, place : place + 1], together)
    late = network.start(network.encode(pixels[1:]))
    for place in range(3):
        if place == 1:
            last = network.start(network.encode(pixels[:1]))
        if place:
            network.step(ids[:1, place - 1 : place], last)
        network.step(ids[1:, place : place + 1], late)
    network.step(ids[:1, 4:6], together)
    together.join(late)
    together.join(last)
    assert together.lengths == [6, 3, 2]
    places = [(0, 6), (1, 3), (0, 2)]
    scores = [
        network.step(torch.stack([ids[row, place + more, None] for row, place in places]), together)
        for more in range(2)
    ]
    assert_close(torch.cat(scores, 1), torch.cat(alone), **CLOSE)
    together.take_back([2, 2, 2])
    scores = network.step(torch.stack([ids[row, place : place + 2] for row, place in places]), together)
    assert_close(scores, torch.cat(alone), **CLOSE)


@pytest.mark.parametrize("name", ["vit+gpt2", "vit-plain+trocr-sinusoidal", "swin+bert", "vit-wide+trocr-wide"])
@torch.no_grad()
def test_half_precision_stays_near(tmp_path, name):
    reference = captioners.write(captioners.BY_NAME[name], tmp_path)
    network = load(tmp_path, Placement(device="cpu", dtype="bfloat16"))
    pixels, ids = torch.randn(1, 3, SIDE, SIDE), torch.tensor([[START, 7, 30, 4]])
    rows = network.start(network.encode(pixels.bfloat16()))
    logits = torch.cat([network.step(ids[:, place : place + 1], rows) for place in range(4)], 1)
    assert logits.dtype == torch.bfloat16
    expected = reference(pixels, ids).logits
    assert torch.corrcoef(torch.stack((logits.float().flatten(), expected.flatten())))[0, 1] > 0.99


def test_matrices_that_stay_mapped_lie_apart(tmp_path):
    captioners.write(captioners.BY_NAME["vit-wide+trocr-wide"], tmp_path)
    block = load(tmp_path).decoder.blocks[0]
    assert isinstance(block.attention.qkv, Apart)
    assert isinstance(block.cross.kv, Apart)
