"""A request through the network: pictures and videos encoded, the prompt prefilled, then token after token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from llavacli_core.checkpoint.place import memory_for
from llavacli_core.engine.memory import Key, Memory
from llavacli_core.engine.prepared import Prepared, PreparedImage, PreparedVideo
from llavacli_core.engine.request import Request
from llavacli_core.errors import BrokenModel
from llavacli_core.nn.llava import Llava

FEWER = "fewer pictures, tiles (--max-tiles) or frames (--frames)"


@torch.inference_mode()
def encode_pictures(network: Llava, request: Request, memory: Memory, reused: int) -> None:
    """Features of the pictures and videos that the cache does not cover and that were never encoded.

    All pictures' tiles go through the tower together. Features of what has left the conversation are let go.
    """
    present = {seen.key for _, seen in request.placed}
    memory.features = {key: value for key, value in memory.features.items() if key in present}
    wanted = {seen.key: seen for span, seen in request.placed if span.start >= reused}
    new = [seen for key, seen in wanted.items() if key not in memory.features]
    memory.features.update(encode(network, new))


def encode(network: Llava, new: Sequence[Prepared]) -> dict[str, Tensor]:
    """Pictures and videos through the tower, all pictures' tiles together -> their features by key, [tokens, D]."""
    pictures = [seen for seen in new if isinstance(seen, PreparedImage)]
    clips = [seen for seen in new if isinstance(seen, PreparedVideo)]
    weight = network.decoder.embedding.weight
    device, dtype = weight.device, weight.dtype
    features: dict[str, Tensor] = {}
    with memory_for(f"{len(pictures)} pictures and {len(clips)} videos", device, FEWER):
        if pictures:
            pixels = torch.cat([torch.from_numpy(picture.tiles.pixels) for picture in pictures])
            packed = network.image_features(pixels.to(device, dtype), [picture.tiles.grid for picture in pictures])
            features.update(zip((picture.key for picture in pictures), packed, strict=True))
        for clip in clips:
            features[clip.key] = network.video_features(torch.from_numpy(clip.pixels).to(device, dtype))
    return features


def embed(network: Llava, request: Request, features: Mapping[str, Tensor], reused: int) -> Tensor:
    """The prompt from position `reused` on, with what is seen in its places, [1, T, D]."""
    ids = torch.tensor([request.token_ids[reused:]], device=network.decoder.embedding.weight.device)
    seen = [(span.kind, features[each.key]) for span, each in request.placed if span.start >= reused]
    images, videos = ([features for kind, features in seen if kind == wanted] for wanted in ("image", "video"))
    return network.embed(ids, images, videos)


@torch.inference_mode()
def prefill(network: Llava, request: Request, memory: Memory, keys: list[Key], reused: int, room: int) -> Tensor:
    """Compute the positions from `reused` on, with `room` for more; scores [1, V] of what follows the last."""
    with memory_for(f"a prompt of {len(keys)} tokens", memory.cache.device, FEWER):
        memory.cache.reserve(len(keys) + room, geometric=False)
        x = embed(network, request, memory.features, reused)
        hidden = network.decoder(x, memory.cache, wanted=[x.shape[1] - 1])
        logits = check_finite(network.decoder.logits(hidden[:, 0]))
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
def step(network: Llava, chosen: Tensor, token_id: int, *, memory: Memory) -> Tensor:
    """Append a token, [1, 1] on the device and known to the host; scores [1, V] of the next."""
    logits = network.decoder.step(chosen, memory.cache)
    memory.held.append(token_id)
    return logits
