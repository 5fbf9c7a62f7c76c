"""How many of torch's threads compute a network, and whether a second thread of ours gains anything beside them.

A step of a small network is many short operations, and to divide each among several cores costs about what it gains. It
costs far more than that beside other busy processes, where each division waits for whichever core was taken away.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import TypeVar

import torch

from llavacli_core.nn.encoder_decoder import EncoderDecoder
from llavacli_core.nn.guests import Guest
from llavacli_core.nn.llava import Llava

Item = TypeVar("Item")

SMALL = 64 * 2**20  # bytes of weights, which a CPU's caches may hold
TINY = 16 * 2**20  # which one core computes as fast as two


def may_be_helped(network: Llava | EncoderDecoder, rows: int) -> bool:
    """Whether a helper gains anything, which starts requests while the batch decodes others."""
    has_guests = any(isinstance(layer, Guest) for layer in network.decoder.blocks)  # their ferry goes one way at a time
    return _fits(network, SMALL) and not has_guests and rows > 1 and torch.get_num_threads() > 1


def is_tiny(network: Llava | EncoderDecoder) -> bool:
    """Whether one core computes a request as fast as several."""
    return _fits(network, TINY)


def in_threads(count: int, events: Generator[Item]) -> Generator[Item]:
    """The same, computed in so many threads; whoever takes them has as many as before."""
    with closing(events):
        while True:
            before = torch.get_num_threads()
            torch.set_num_threads(count)
            try:
                event = next(events)
            except StopIteration:
                return
            finally:
                torch.set_num_threads(before)
            yield event


def _fits(network: Llava | EncoderDecoder, size: int) -> bool:
    """Whether the network is on the CPU, with weights of at most so many bytes."""
    weights = [*network.parameters(), *network.buffers()]  # quantized ones are buffers
    return all(weight.device.type == "cpu" for weight in weights) and sum(weight.nbytes for weight in weights) <= size
