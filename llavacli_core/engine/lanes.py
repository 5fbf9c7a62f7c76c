"""Batches side by side on one network, each with its share of the cores.

A step of a small network is many short operations, and to divide each among several cores costs about what it gains;
two batches on half the cores each need no such division. A large network's step is the reading of its weights, which
two batches would do twice.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from threading import Event
from typing import Any

import torch

from llavacli_core.engine.ahead import Ahead
from llavacli_core.engine.batch import Batch, Numbered, Ready
from llavacli_core.engine.generate import Stopped
from llavacli_core.nn.encoder_decoder import EncoderDecoder
from llavacli_core.nn.guests import Guest
from llavacli_core.nn.llava import Llava

LANES = 2
SMALL = 64 * 2**20  # bytes of weights, which a CPU's caches may hold
FEWEST = 4  # rows of a lane


def lanes(network: Llava | EncoderDecoder, rows: int) -> int:
    """How many batches `rows` are divided among."""
    weights = [*network.parameters(), *network.buffers()]  # quantized ones are buffers
    on_cpu = all(weight.device.type == "cpu" for weight in weights)
    has_guests = any(isinstance(layer, Guest) for layer in network.decoder.blocks)  # their ferry goes one way at a time
    is_small = sum(weight.nbytes for weight in weights) <= SMALL
    if not on_cpu or has_guests or not is_small or rows < LANES * FEWEST or torch.get_num_threads() < LANES:
        return 1
    return LANES


def side_by_side(
    batches: Sequence[Batch], ahead: Ahead[Any, Ready | Numbered], stopped: Stopped
) -> Generator[Numbered]:
    """Events of all batches, which take from the same requests; what one raises comes when all have ended."""
    told: SimpleQueue[Numbered | None] = SimpleQueue()
    ended = Event()
    threads = torch.get_num_threads()

    def serve(batch: Batch) -> None:
        torch.set_num_threads(threads // len(batches))  # of those that this thread computes with
        try:
            for event in batch.serve(ahead, lambda: stopped() or ended.is_set()):
                told.put(event)
        except BaseException:
            if not ahead.over:  # else it came last, and the others go on with what came before it
                ended.set()
            raise
        finally:
            told.put(None)

    try:
        with ThreadPoolExecutor(len(batches), thread_name_prefix="lane") as pool:
            running: list[Future[None]] = [pool.submit(serve, batch) for batch in batches]
            try:
                for _ in batches:
                    yield from iter(told.get, None)
            finally:
                ended.set()
    finally:
        torch.set_num_threads(threads)  # the last call counts for threads that are yet to come
    for each in running:
        each.result()
