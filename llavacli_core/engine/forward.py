"""A request through the network: its pictures encoded, its prompt prefilled, then one token after another."""

from __future__ import annotations

import torch
from torch import Tensor

from llavacli_core.checkpoint.place import memory_for
from llavacli_core.engine.memory import Key, Memory
from llavacli_core.engine.processor import Request
from llavacli_core.errors import BrokenModel
from llavacli_core.nn.llava import Llava

FEWER = "fewer pictures or tiles (--max-tiles), or --device cpu"


@torch.inference_mode()
def encode_pictures(network: Llava, request: Request, memory: Memory, reused: int) -> None:
    """Features of the pictures that the cache does not cover and that were never encoded, as one batch of tiles.

    Features of pictures that have left the conversation are let go.
    """
    present = {picture.key for picture in request.pictures}
    memory.features = {key: value for key, value in memory.features.items() if key in present}
    wanted = {
        picture.key: picture.tiles
        for span, picture in zip(request.spans, request.pictures, strict=True)
        if span.start >= reused
    }
    new = {key: tiles for key, tiles in wanted.items() if key not in memory.features}
    if not new:
        return
    cache = memory.cache
    with memory_for(f"{len(new)} pictures", cache.device, FEWER):
        pixels = torch.cat([torch.from_numpy(tiles.pixels) for tiles in new.values()])
        pixels = pixels.to(device=cache.device, dtype=cache.dtype)
        features = network.image_features(pixels, [tiles.grid for tiles in new.values()])
    memory.features.update(zip(new, features, strict=True))


@torch.inference_mode()
def prefill(network: Llava, request: Request, memory: Memory, keys: list[Key], reused: int) -> Tensor:
    """Compute the positions from `reused` on; scores [1, V] of the token that follows the last."""
    ids = torch.tensor([request.token_ids[reused:]], device=memory.cache.device)
    features = [
        memory.features[picture.key]
        for span, picture in zip(request.spans, request.pictures, strict=True)
        if span.start >= reused
    ]
    with memory_for(f"a prompt of {len(keys)} tokens", memory.cache.device, FEWER):
        hidden = network.decoder(network.embed(ids, features), memory.cache)
    logits = check_finite(network.decoder.logits(hidden[:, -1]))
    memory.held += keys[reused:]
    return logits


def check_finite(logits: Tensor) -> Tensor:
    """The scores as they are; BrokenModel if some are no numbers."""
    if not bool(logits.isfinite().all()):
        raise BrokenModel(
            "the network's scores are not finite",
            hint="try --dtype float32; if that does not help, the weights are damaged: fetch them again",
        )
    return logits


@torch.inference_mode()
def step(network: Llava, chosen: Tensor, token_id: int, memory: Memory) -> Tensor:
    """Append a token, [1, 1] on the device and known to the host; scores [1, V] of the next."""
    logits = network.decoder.step(chosen, memory.cache)
    memory.held.append(token_id)
    return logits
