"""What is counted to be alive while a network computes is what is alive: every tensor that torch makes is watched."""

import json
import weakref
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from llavacli_core.checkpoint.activations import connecting, encoding, prefilling
from llavacli_core.checkpoint.load import make_network
from llavacli_core.families.registry import family_of
from llavacli_core.nn import product
from llavacli_core.nn.cache import KVCache
from llavacli_core.nn.encoders import build_encoder
from tests.families.test_encoders import CONFIGS as ENCODERS
from tests.reference.captioners import PAIRS
from tests.reference.checkpoints import config as reference_config
from tests.reference.checkpoints import fast_tokenizer
from tests.reference.models import BASES

SMALL = {name: section for name, section in ENCODERS.items() if section.get("image_size") in (32, 37, [24, 40])}


class Alive(TorchDispatchMode):
    """The most bytes of tensors made within that are alive at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.known: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        seen = {leaf.untyped_storage()._cdata for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)}
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, torch.Tensor):
                self._watch(leaf.untyped_storage(), seen)
        return made

    def _watch(self, storage, seen) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in seen or key in self.known:
            return
        self.known.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.now -= size


def alive(run: Callable[[], object]) -> int:
    with torch.inference_mode(), Alive() as watched:
        run()
    return watched.peak


def filled(module):
    """The module, its weights on the CPU and of no importance."""
    module = module.to_empty(device="cpu")
    for parameter in module.parameters():
        parameter.data.fill_(0.01)
    return module


def wide(base, **decoder):
    """A checkpoint's config, large enough for its layers to outweigh masks and tables."""
    config = family_of(values := json.loads(reference_config(base, fast_tokenizer(base)).to_json_string())).read(values)
    return replace(
        config,
        vision=replace(config.vision, hidden_size=64, intermediate_size=256, num_attention_heads=4),
        decoder=replace(config.decoder, hidden_size=128, num_attention_heads=4, head_dim=32, **decoder),
    )


FORMATS = [torch.float32] + [torch.bfloat16] * product.has_amx(torch.bfloat16)  # asked now: within `Alive` it cannot be


@pytest.mark.parametrize(("heads", "width"), [(4, 384), (1, 512), (4, 16), (4, 8192)])
@pytest.mark.parametrize("kernel", ["sdpa", "eager"])
@pytest.mark.parametrize("length", [300, 700, 1300])
@pytest.mark.parametrize("dtype", FORMATS, ids=str)
def test_prefilling(heads, width, kernel, length, dtype):
    config = wide(BASES[0], num_key_value_heads=heads, intermediate_size=width)
    with torch.device("meta"):
        network = make_network(config, kernel)
    decoder = filled(network.decoder).to(dtype)
    cache = KVCache(config.decoder, device=torch.device("cpu"), dtype=dtype, room=1536)
    ids = torch.zeros(1, length, dtype=torch.long)
    measured = alive(lambda: decoder.logits(decoder(decoder.embed(ids), cache)[:, -1]))
    amx = dtype == torch.bfloat16
    counted = prefilling(config.decoder, length, 0, dtype.itemsize, eager=kernel == "eager", amx=amx)
    assert 0.9 <= counted / measured <= 1.35


@pytest.mark.parametrize("base", BASES, ids=lambda base: base.name)
@pytest.mark.parametrize("kernel", ["sdpa", "eager"])
@pytest.mark.parametrize("width", [256, 16384])
@pytest.mark.parametrize("dtype", FORMATS, ids=str)
def test_seeing(base, kernel, width, dtype):
    config = wide(base, num_key_value_heads=4, intermediate_size=384)
    config = replace(config, vision=replace(config.vision, intermediate_size=width))
    with torch.device("meta"):
        network = make_network(config, kernel)
    filled(network).to(dtype)
    tiles, itemsize, amx = 3, dtype.itemsize, dtype == torch.bfloat16
    pixels = torch.zeros(tiles, 3, *config.vision.image_size, dtype=dtype)
    measured = alive(lambda: network.connector.project(network.vision.hidden_states(pixels, network.layers)))
    kept = len(network.layers) - 1
    tower = encoding(config.vision, tiles, itemsize, kept=kept, eager=kernel == "eager", amx=amx)
    assert 0.9 <= max(tower, connecting(config, tiles, itemsize)) / measured <= 1.35


@pytest.mark.parametrize("section", SMALL.values(), ids=SMALL)
def test_every_encoder(section):
    values = json.loads(PAIRS[0].config().to_json_string())
    config = family_of(values).read(values | {"encoder": section}).encoder
    with torch.device("meta"):
        encoder = build_encoder(config, "sdpa")
    filled(encoder)
    pixels = torch.zeros(2, 3, *config.image_size)
    assert 0.9 <= encoding(config, 2, 4) / alive(lambda: encoder(pixels)) <= 1.35
