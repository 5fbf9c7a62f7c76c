"""The network by itself, fed the reference's own pixels and ids: image features, logits and loss in float32."""

import pytest
import torch

from llavacli_core.checkpoint.files import describe
from llavacli_core.checkpoint.load import load_network
from llavacli_core.geometry import grid_for
from llavacli_core.options import Placement
from tests.reference.cases import BY_NAME
from tests.reference.models import BASES

pytestmark = pytest.mark.parity

CASE = BY_NAME["two pictures"]
NAMES = [base.name for base in BASES]


@pytest.fixture(scope="module")
def fed(checkpoint, reference):
    """Our network, our arguments for it, the reference's model and the reference's."""

    def feed(base, kernel="sdpa"):
        description = describe(checkpoint(base))
        network = load_network(
            checkpoint(base), description, Placement(device="cpu", dtype="float32", attention=kernel)
        )
        model, inputs = reference(base).model, reference(base).inputs(CASE)
        sizes = [part["image"].size for message in CASE.conversation for part in message["content"] if "image" in part]
        grids = [grid_for(width, height, description.images) for width, height in sizes]
        pixels = inputs["pixel_values"]
        if pixels.dim() == 5:  # the reference fills pictures of fewer tiles up with empty ones
            pixels = torch.cat([tiles[: grid.tiles] for tiles, grid in zip(pixels, grids, strict=True)])
        return network, (pixels, grids), model, inputs

    return feed


@pytest.mark.parametrize("base", NAMES)
def test_image_features(base, fed):
    network, (pixels, grids), model, inputs = fed(base)
    with torch.inference_mode():
        given = {name: inputs[name] for name in ("pixel_values", "image_sizes") if name in inputs}
        expected = model.model.get_image_features(**given).pooler_output
        features = network.image_features(pixels, grids)
    for ours, theirs in zip(features, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kernel", ["sdpa", "eager"])
@pytest.mark.parametrize("base", NAMES)
def test_logits(base, kernel, fed):
    network, (pixels, grids), model, inputs = fed(base, kernel)
    with torch.inference_mode():
        expected = model(**inputs).logits
        logits, loss = network(inputs["input_ids"], pixels, grids)
    assert loss is None
    torch.testing.assert_close(logits, expected, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("base", ["llava-1.5", "llava-interleave", "next-mistral"])
def test_loss_and_gradients(base, fed):
    network, (pixels, grids), model, inputs = fed(base)
    ids = inputs["input_ids"]
    labels = torch.where(torch.arange(ids.shape[1]) % 3 == 0, -100, ids)
    labels[ids == model.config.image_token_id] = -100
    model.zero_grad()
    expected = model(**inputs, labels=labels).loss
    expected.backward()
    network.requires_grad_()
    _, loss = network(ids, pixels, grids, labels)
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=1e-5)
    loss.backward()
    theirs = model.model.language_model.embed_tokens.weight.grad
    torch.testing.assert_close(network.decoder.embedding.weight.grad, theirs, atol=1e-4, rtol=1e-3)
    first = model.model.vision_tower.embeddings.patch_embedding.weight.grad
    torch.testing.assert_close(network.vision.patch_weight.grad, first, atol=1e-4, rtol=1e-3)


def test_right_padding_is_harmless(fed):
    network, (pixels, grids), _, inputs = fed("next-mistral")
    ids = inputs["input_ids"]
    padded = torch.cat((ids, ids.new_full((1, 5), 3)), dim=1)
    with torch.inference_mode():
        alone, _ = network(ids, pixels, grids)
        longer, _ = network(padded, pixels, grids)
    torch.testing.assert_close(longer[:, : ids.shape[1]], alone, atol=1e-5, rtol=1e-5)


def test_too_few_image_tokens_are_an_error(fed):
    network, (pixels, grids), _, inputs = fed("next-mistral")
    with pytest.raises(ValueError, match="image tokens"):
        network(inputs["input_ids"][:, -5:], pixels, grids)
