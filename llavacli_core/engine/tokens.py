"""The ids of one answer, one after the other: step by step, or with the device always one token ahead of the host."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from llavacli_core.engine.memory import Memory
from llavacli_core.engine.sampling import Chooser
from llavacli_core.nn.graph import StepGraph

Step = Callable[[Tensor, int], Tensor]  # a token [1, 1] on the device, which the host knows too; the next scores [1, V]


def tokens(
    memory: Memory, step: Step, choose: Chooser, logits: Tensor, said: Sequence[int], limit: int
) -> Iterator[int]:
    """A conversation's next ids, the first chosen by `logits` [1, V]: at most `limit`, each in `said` before the next.

    Where the device can record steps they are replayed, and it runs ahead; else `step` computes one after the other.
    """
    chosen = choose(logits, said)
    token_id = int(chosen)
    yield token_id  # the first word does not wait for a recording
    graph = None if choose.looks_back else memory.recorded()
    if graph is None:
        yield from in_step(step, choose, step(chosen, token_id), said)
    else:
        yield from ahead(graph, memory, choose, chosen, token_id, said, limit - 1)


def in_step(step: Step, choose: Chooser, logits: Tensor, said: Sequence[int]) -> Iterator[int]:
    """Ids without end, chosen by `logits` [1, V] and those that follow; `said` has grown when the next is asked for."""
    while True:
        chosen = choose(logits, said)
        token_id = int(chosen)  # the one synchronisation of a step
        yield token_id
        logits = step(chosen, token_id)


@torch.inference_mode()
def ahead(
    graph: StepGraph,
    memory: Memory,
    choose: Chooser,
    chosen: Tensor,
    token_id: int,
    said: Sequence[int],
    limit: int,
) -> Iterator[int]:
    """The ids that follow `chosen` [1, 1], which is `token_id`: each is read while the device computes the next.

    When the caller wants no more, the device has begun one token too many: it lies where the next turn will write, and
    neither the cache's length nor what `memory` holds knows of it. `choose` must not look at what was said.
    """
    chosen = choose(graph(chosen), said)
    memory.took(token_id)
    for left in range(limit - 1, -1, -1):
        reading = Reading(chosen)
        if left:
            chosen = choose(graph(chosen), said)
        token_id = reading.value()
        yield token_id
        memory.took(token_id)


class Reading:
    """A number on its way from the device to the host."""

    def __init__(self, number: Tensor) -> None:
        """Ask for it, behind what the device has to do already."""
        self.arrived: torch.cuda.Event | None = None
        self.number = number
        if number.is_cuda:
            self.number = torch.empty(number.shape, dtype=number.dtype, pin_memory=True)
            self.number.copy_(number, non_blocking=True)
            self.arrived = torch.cuda.Event()
            self.arrived.record(torch.cuda.current_stream(number.device))

    def value(self) -> int:
        """The number; waits for it, and for nothing that was asked of the device later."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return int(self.number)
