"""From --device and --max-memory to a layout: which devices compute, how much each may take, and what is needed."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from llavacli_core.budgets import Budget
from llavacli_core.checkpoint.footprint import Form, Work, working
from llavacli_core.checkpoint.layout import Layout, Needs, lay_out
from llavacli_core.checkpoint.parts import BEHIND, ITEMSIZES, block_of, cache_bytes
from llavacli_core.checkpoint.place import free_memory
from llavacli_core.config import CaptionerConfig, ModelConfig
from llavacli_core.errors import BadOption
from llavacli_core.options import Placement

FREE_SHARE = 0.9  # of what is free, where nobody says how much; allocators leave gaps
POSITIONS = 4096  # of a conversation that room is kept for, or as many as the model has


def spread(
    config: ModelConfig | CaptionerConfig,
    placement: Placement,
    device: torch.device,
    form: Form,
    sizes: Mapping[str, int],
) -> Layout | None:
    """The layout of a config's network, whose parameters are of so many bytes; None: all of it on one device.

    That is so on a CPU, whose weights stay mapped from disk and are let go when memory is wanted, and on MPS, whose
    memory is the CPU's; unless a budget is set.
    """
    if not placement.max_memory and device.type != "cuda":
        return None
    asked = {budget.device: budget for budget in _named(placement, device)}
    computing = _computing(placement, device, asked)
    strange = [name for name in asked if name not in (*computing, "cpu")]
    if strange:
        raise BadOption(f"max_memory: {strange[0]} does not compute here", hint=f"the device is {', '.join(computing)}")
    budgets = [(name, _bytes(asked.get(name), name)) for name in computing]
    memory = 0 if device.type == "cpu" else _bytes(asked.get("cpu"), "cpu")
    return lay_out(needs_of(config, form, sizes), budgets, memory)


def needs_of(config: ModelConfig | CaptionerConfig, form: Form, sizes: Mapping[str, int]) -> Needs:
    """The bytes of a config's network by parts. A captioner is small: all of it is on one device."""
    decoder, blocks, last = config.decoder, [0] * config.decoder.num_hidden_layers, 0
    if isinstance(config, CaptionerConfig):
        blocks = []
    for name, size in sizes.items():
        if blocks and (block := block_of(name)) >= 0:
            blocks[block] += size
        elif blocks and name.startswith(BEHIND) and not decoder.tie_word_embeddings:
            last += size
    work = roomy(config)
    return Needs(
        first=sum(sizes.values()) - sum(blocks) - last,
        blocks=tuple(blocks),
        last=last,
        cache=cache_bytes(config, ITEMSIZES[form.dtype]) * work.prompt,
        working=working(config, form, work),
    )


def beside_weights(config: ModelConfig | CaptionerConfig, form: Form) -> int:
    """Bytes of the keys, values and activations that room is kept for."""
    work = roomy(config)
    cached = config.decoder.num_hidden_layers * cache_bytes(config, ITEMSIZES[form.dtype]) * work.prompt
    return cached + working(config, form, work)


def roomy(config: ModelConfig | CaptionerConfig) -> Work:
    """What room is kept for: a conversation about one picture, in as many tiles as the model ever cuts one into."""
    positions = min(POSITIONS, config.decoder.max_position_embeddings)
    if isinstance(config, CaptionerConfig):
        return Work(prompt=positions, tiles=1)
    height, width = config.vision.image_size
    cut = [(rows // height) * (cols // width) for rows, cols in config.image_grid_pinpoints or ()]
    tiles = 1 + max(cut, default=0)
    return Work(prompt=positions, image_tokens=min(positions, tiles * config.vision.num_positions), tiles=tiles)


def _named(placement: Placement, device: torch.device) -> list[Budget]:
    """The budgets with their devices' full names; one without is the chosen device's."""
    found = []
    for budget in placement.max_memory:
        short = budget.device is None or budget.device == device.type
        found.append(Budget(str(device) if short else budget.device, budget.size, budget.share))
    names = [budget.device for budget in found]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise BadOption(f"max_memory: {twice[0]} has two sizes", hint=f"a size alone is for {device}")
    return found


def _computing(placement: Placement, device: torch.device, asked: dict[str | None, Budget]) -> list[str]:
    """The devices that compute, in the order in which they are filled."""
    alone = any(budget.device is None for budget in placement.max_memory)
    if placement.device != "auto" or device.type != "cuda" or alone:
        return [str(device)]
    there = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return [name for name in there if name in asked] or [str(device), *(name for name in there if name != str(device))]


def _bytes(budget: Budget | None, name: str) -> int:
    """What may be taken of a device."""
    if budget is not None and budget.size is not None:
        return budget.size
    free = free_memory(torch.device(name))
    return int(free * FREE_SHARE) if budget is None else budget.of(free)
