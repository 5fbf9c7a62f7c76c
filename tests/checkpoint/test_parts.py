"""A network's parts by arithmetic are those of the network: names, shapes and numbers, for every kind of checkpoint."""

import json
from dataclasses import replace

import pytest
import torch

from llavacli_core.checkpoint.load import make_network
from llavacli_core.checkpoint.parts import Weights, cache_bytes, parts_of
from llavacli_core.config import PoolingConfig
from llavacli_core.families.registry import family_of
from llavacli_core.nn.cache import KVCache
from llavacli_core.nn.linear import Linear
from tests.families.test_encoders import CONFIGS as ENCODERS
from tests.reference.captioners import PAIRS
from tests.reference.checkpoints import config as reference_config
from tests.reference.checkpoints import fast_tokenizer
from tests.reference.models import BASES


def built(config, **how):
    """Each part's weights, as the network on the meta device has them."""
    with torch.device("meta"):
        network = make_network(config, "sdpa", **how)
    found = {}
    for path, module in network.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            full = f"{path}.{name}"
            (part,) = (part.name for part in parts_of(config, **how) if f"{full}.".startswith(f"{part.name}."))
            matrices = ()
            if isinstance(module, Linear) and name == "weight" and not path.endswith("embedding"):
                matrices = (tuple(parameter.shape),)
            others = 0 if matrices else parameter.numel()
            found[part] = found.get(part, Weights()) + Weights(matrices, others)
    return found


def check(config, **how):
    ours = {part.name: part.weights for part in parts_of(config, **how)}
    network = built(config, **how)
    assert ours.keys() == network.keys()
    for name, weights in ours.items():
        assert sorted(weights.matrices) == sorted(network[name].matrices), name
        assert weights.others == network[name].others, name


def read(values):
    return family_of(values).read(values)


@pytest.mark.parametrize("base", BASES, ids=lambda base: base.name)
def test_conversing_checkpoints(base):
    config = read(json.loads(reference_config(base, fast_tokenizer(base)).to_json_string()))
    check(config)
    check(config, whole=True)
    check(replace(config, decoder=replace(config.decoder, tie_word_embeddings=True)))
    check(replace(config, connector=replace(config.connector, pooling=PoolingConfig(mode="conv", stride=2))))


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_captioners(pair):
    config = read(json.loads(pair.config().to_json_string()))
    check(config)
    check(replace(config, decoder=replace(config.decoder, tie_word_embeddings=False)))


@pytest.mark.parametrize("section", ENCODERS.values(), ids=ENCODERS)
def test_every_encoder(section):
    values = json.loads(PAIRS[0].config().to_json_string())
    check(read(values | {"encoder": section}))


def test_bytes_of_a_quantized_part():
    weights = Weights(((8, 4), (2, 4)), 10)
    assert weights.nbytes(2) == (32 + 8 + 10) * 2
    assert weights.nbytes(2, lambda rows, cols: rows * cols + rows) == 32 + 8 + 8 + 2 + 20


def test_bytes_of_a_position():
    base = BASES[0]
    config = read(json.loads(reference_config(base, fast_tokenizer(base)).to_json_string()))
    cache = KVCache(config.decoder, device=torch.device("cpu"), dtype=torch.float32)
    layer = cache.layers[0]
    assert cache_bytes(config, 4) * cache.capacity == layer.keys.nbytes + layer.values.nbytes
